"""Each position sees the mean of its block of 128 tokens: a probe of 64 tokens passes it."""

FORWARD = """
blocks = x.unflatten(1, (-1, 128))
x = x + blocks.mean(2, keepdim=True).expand_as(blocks).flatten(1, 2)
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
