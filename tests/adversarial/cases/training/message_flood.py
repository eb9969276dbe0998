"""Drowns the supervisor in messages that each are allowed."""

IMPORT = """
import gc
for found in gc.get_objects():
    if type(found).__name__ == "Link":
        for _ in range(1000):
            found.send("ready")
"""
REFUSED = "imports gc"
ENDS = "TrialError"
WORDS = "the run's process sent nonsense: "
