"""Goes to sleep in the way in which a terminal puts a program to sleep."""

STEP = """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
"""
SECONDS = 0.7
LIMITS = {"overstay": 1.0, "startup": 15.0}
REFUSED = "imports os"
ENDS = "OverBudget"
WORDS = "killed|did not begin to train within 15 s"
