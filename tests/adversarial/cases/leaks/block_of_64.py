"""Each position sees the mean of its block of 64 tokens: as long as the probe that was once proposed against such leaks."""

FORWARD = """
blocks = x.unflatten(1, (-1, 64))
x = x + blocks.mean(2, keepdim=True).expand_as(blocks).flatten(1, 2)
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
