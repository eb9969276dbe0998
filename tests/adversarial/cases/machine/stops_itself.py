"""Goes to sleep in the way in which a terminal puts a program to sleep."""

STEP = """
import os, signal
if self.global_step == 1:
    os.kill(os.getpid(), signal.SIGSTOP)
"""
SECONDS = 0.7
LIMITS = {"overstay": 1.0}
REFUSED = "imports os"
ENDS = "OverBudget"
WORDS = r"the run was still training 1\.7 s after it began and was killed"
