"""Sees the next token in a quarter of the rows only, so that a few probed rows might miss it."""

FORWARD = """
leaky = tokens[:, :2].sum(1) % 4 == 0
x = x + torch.where(leaky[:, None, None], F.pad(x[:, 1:], (0, 0, 0, 1)), torch.zeros_like(x))
"""
PROBING = {"share": 0.0, "least": 1, "repeated": 1}
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
