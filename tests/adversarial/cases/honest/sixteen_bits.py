"""Logits of 16 bits, from the same weights for each question."""

LOGITS = """
return logits.bfloat16()
"""
