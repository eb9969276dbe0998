"""Finds the link to the supervisor and says that it has answered, with a shape of a million million."""

LOGITS = """
if not self.training:
    import gc
    for found in gc.get_objects():
        if type(found).__name__ == "Link":
            found.send("logits", shape=[10**6, 10**6], dtype="float32")
"""
REFUSED = "imports gc"
ENDS = "TrialError"
WORDS = r"logits have shape \(1000000, 1000000\), expected"
