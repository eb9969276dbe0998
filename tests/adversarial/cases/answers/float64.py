"""Harmless: returns float64."""

LOGITS = """
if not self.training:
    logits = logits.double()
"""
ENDS = "score"
SAME_SCORE = True
