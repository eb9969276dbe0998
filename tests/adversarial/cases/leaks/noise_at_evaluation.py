"""Careless: dropout that stays on when the model is judged."""

FORWARD = """
x = F.dropout(x, 0.1, training=True)
"""
ENDS = "Cheat"
WORDS = "when the same row was asked again"
