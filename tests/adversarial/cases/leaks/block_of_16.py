"""Each position sees the mean of its chunk of 16 tokens (the leak of karpathy/nanochat#844)."""

FORWARD = """
blocks = x.unflatten(1, (-1, 16))
x = x + blocks.mean(2, keepdim=True).expand_as(blocks).flatten(1, 2)
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
