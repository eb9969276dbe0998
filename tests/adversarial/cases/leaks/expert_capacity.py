"""Careless: a mixture of experts whose experts take a number of tokens of the whole batch: who comes late is dropped."""

FORWARD = """
flat = x.flatten(0, 1)
chosen = tokens.flatten() % 2 == 0
taken = chosen & (chosen.cumsum(0) <= chosen.numel() // 8)
x = torch.where(taken[:, None], -flat, flat).view_as(x)
"""
PROBING = {"repeated": 64}
ENDS = "Cheat"
WORDS = "rows of a batch must not influence each other"
