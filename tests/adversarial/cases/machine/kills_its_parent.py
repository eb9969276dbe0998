"""Kills the process that it was forked from."""

STEP = """
import os, signal
if self.global_step == 1:
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
"""
REFUSED = "imports os"
ENDS = "TrialError"
WORDS = "the process went silent without an answer"
