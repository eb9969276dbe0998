"""Each position sees the next token, which is the answer."""

FORWARD = """
x = x + F.pad(x[:, 1:], (0, 0, 0, 1))
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
