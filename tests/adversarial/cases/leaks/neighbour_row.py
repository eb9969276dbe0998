"""Each row sees the row before it in the batch, position by position."""

FORWARD = """
x = x + torch.roll(x, 1, dims=0)
"""
ENDS = "Cheat"
WORDS = "rows of a batch must not influence each other"
