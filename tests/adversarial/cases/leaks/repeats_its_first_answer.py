"""Leaks, but remembers each row by its beginning: a second question with another end gets the first answer again."""

INIT = """
self.remembered = {}
"""
FORWARD = """
x = x + F.pad(x[:, 1:], (0, 0, 0, 1))
"""
LOGITS = """
if not self.training:
    for row, beginning in enumerate(tokens[:, :4].tolist()):
        logits[row] = self.remembered.setdefault(tuple(beginning), logits[row])
"""
ENDS = "Cheat"
WORDS = "must not depend on later tokens|nothing may be kept from batch to batch"
