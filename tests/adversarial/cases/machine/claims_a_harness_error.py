"""Raises an error of the harness's own, to be taken for a fault of the machine and not of its own."""

STEP = """
from autoresearch.errors import WorkerError
raise WorkerError("this machine cannot run trials at all")
"""
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "TrialError"
WORDS = "this machine cannot run trials at all"
