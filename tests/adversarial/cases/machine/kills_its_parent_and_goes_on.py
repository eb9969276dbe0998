"""Kills the process that it was forked from, and trains on as if nothing had happened: it gains nothing by it."""

STEP = """
import os, signal
if self.global_step == 1:
    os.kill(os.getppid(), signal.SIGKILL)
"""
REFUSED = "imports os"
ENDS = "score|TrialError"  # in a sandbox it may not send the signal
WORDS = "Operation not permitted"
SAME_SCORE = True
SPOILS_NOTHING = True
