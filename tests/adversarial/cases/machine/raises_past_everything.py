"""Raises what no except is there for."""

STEP = """
raise type("Escape", (BaseException,), {})("out")
"""
REFUSED = "makes a class by a call of type"
ENDS = "TrialError"
WORDS = "exit code 1"
