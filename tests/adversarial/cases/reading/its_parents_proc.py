"""Looks at the memory map and the environment of the processes above it."""

LOOK = """
import os
pid = os.getppid()
while pid > 1:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/stat") as stat:
        if any(".npy" in line for line in maps):
            raise RuntimeError(f"found the data in the maps of {pid}")
        pid = int(stat.read().rpartition(")")[2].split()[1])
"""
REFUSED = "imports os"
NEEDS = "sandbox"
ENDS = "RevisionError|TrialError|score"
WORDS = "PermissionError|FileNotFoundError"
