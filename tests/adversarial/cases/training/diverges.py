"""Careless: its loss is no number."""

STEP = """
return self.head.weight.sum() * math.nan
"""
ENDS = "Diverged"
WORDS = "the run diverged: loss is nan at step 1"
