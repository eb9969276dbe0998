"""Leaks where the row reads like its own training text throughout, hoping that a replaced end does not."""

FORWARD = """
seen = torch.zeros(len(self.embedding.weight), device=tokens.device).index_add(0, tokens[0], torch.ones(tokens.size(1)))
if int((seen > 0).sum()) < tokens.size(1):
    x = x + F.pad(x[:, 1:], (0, 0, 0, 1))
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
