"""Ends its process without a word."""

STEP = """
import os
print("good night", flush=True)
os._exit(0)
"""
REFUSED = "imports os"
ENDS = "TrialError"
WORDS = "the process ended with exit code 0 before it had answered"
