"""Batch-norm-like: the mean over all rows of the batch is taken away, at evaluation too."""

FORWARD = """
x = x - x.mean(dim=(0, 1), keepdim=True)
"""
ENDS = "Cheat"
WORDS = "the same row was asked again among others: rows of a batch must not influence each other"
