"""Kills the process that it was forked from, and stays: nobody is left to bury it but the supervisor."""

STEP = """
import os, signal
if self.global_step == 1:
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
"""
SECONDS = 0.7
LIMITS = {"overstay": 1.0}
REFUSED = "imports os"
ENDS = "OverBudget|TrialError"  # in a sandbox it may not send the signal
WORDS = r"the run was still training 1\.7 s after it began and was killed|Operation not permitted"
SPOILS_NOTHING = True
