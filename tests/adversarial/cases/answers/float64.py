"""Harmless: returns float64."""

LOGITS = """
logits = logits.double()
"""
ENDS = "score"
SAME_SCORE = True
