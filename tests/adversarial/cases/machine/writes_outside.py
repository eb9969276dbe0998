"""Writes to folders that are none of its business."""

STEP = """
import os
for place in ("..", "/tmp", os.path.expanduser("~"), "/var/tmp"):
    try:
        with open(os.path.join(place, "pwned"), "w") as file:
            file.write("here")
    except OSError:
        pass
"""
REFUSED = "imports os|uses open"
NEEDS = "sandbox"
ENDS = "score"
SAME_SCORE = True
NEVER = "pwned"
