"""Logits of huge magnitude: a wrong guess costs as much."""

LOGITS = """
if not self.training:
    return logits * 1e30
"""
ENDS = "score"
