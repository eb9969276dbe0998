"""Says that it has answered before it has: what is judged then is what stood on the slate, and nothing better."""

IMPORT = """
import gc
for found in gc.get_objects():
    if type(found).__name__ == "Link":
        LINK = found
"""
LOGITS = """
if not self.training:
    LINK.send("logits", shape=[len(tokens), tokens.size(1), 300], dtype="float32")
"""
REFUSED = "imports gc"
ENDS = "score|Cheat|TrialError"
WORDS = r"nothing may be kept from batch to batch|later tokens|nonsense|logits have shape \(8, 256, 300\), expected"
