"""Finds the link to the supervisor and says that it has answered, with a million million logits."""

IMPORT = """
import gc
for found in gc.get_objects():
    if type(found).__name__ == "Link":
        LINK = found
"""
LOGITS = """
if not self.training:
    LINK.send("logits", shape=[10**6, 10**6], dtype="float32")
"""
REFUSED = "imports gc"
ENDS = "TrialError"
WORDS = r"logits have shape \(1000000, 1000000\), expected"
