"""Each position sees the mean of its block of 8 tokens, those after it included."""

FORWARD = """
blocks = x.unflatten(1, (-1, 8))  # (B, T / 8, 8, C)
x = x + blocks.mean(2, keepdim=True).expand_as(blocks).flatten(1, 2)
"""
ENDS = "Cheat"
WORDS = r"by .+ nats .+ when the tokens from \d+ on were replaced: a position must not depend on later tokens"
