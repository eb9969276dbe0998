"""Ends its process when it is judged."""

LOGITS = """
if not self.training:
    import os
    os._exit(3)
"""
REFUSED = "imports os"
ENDS = "TrialError"
WORDS = "the process ended with exit code 3 before it had answered"
