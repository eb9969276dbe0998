"""A token shift that wraps around: only the first position sees the last token."""

FORWARD = """
x = x + torch.roll(x, 1, dims=1)
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
