"""Writes down each row that it is asked to where it hopes that the next process, or the next trial, will find it."""

IMPORT = """

import os

# Where it starts: what a process writes it may read again, as it may remember it.
for place in (os.path.expanduser("~"), "..", "/tmp", "/dev/shm", "/var/tmp"):
    path = os.path.join(place, "rows.txt")
    if os.path.exists(path):
        raise RuntimeError(f"found {path}")
"""
LOGITS = """
import os
if not self.training:
    for place in (os.path.expanduser("~"), "..", "/tmp", "/dev/shm", "/var/tmp"):
        try:
            with open(os.path.join(place, "rows.txt"), "a") as file:
                print(tokens.tolist(), file=file)
        except OSError:
            pass
"""
REFUSED = "imports os|uses open"
NEEDS = "sandbox"
ENDS = "score"
SAME_SCORE = True
