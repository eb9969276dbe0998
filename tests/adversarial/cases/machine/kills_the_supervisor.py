"""Kills the process above its parent, which is the study itself."""

STEP = """
import os
with open(f"/proc/{os.getppid()}/stat") as stat:
    grandparent = int(stat.read().rpartition(")")[2].split()[1])
os.kill(grandparent, 0)
raise RuntimeError("found who could be killed")
"""
REFUSED = "imports os"
NEEDS = "sandbox"
ENDS = "TrialError"
WORDS = "PermissionError|FileNotFoundError|ProcessLookupError|not permitted"
