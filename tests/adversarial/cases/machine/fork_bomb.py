"""Fifty children, in sessions of their own: a bomb of a size that a test can stand."""

STEP = """
import os, subprocess, sys
if self.global_step == 1:
    for _ in range(50):
        subprocess.Popen(["sleep", "271828"], start_new_session=True)
"""
REFUSED = "imports os|imports subprocess"
ENDS = "score|TrialError"
WORDS = "processes|Resource temporarily unavailable"
LEAVES_NO = "271828"
