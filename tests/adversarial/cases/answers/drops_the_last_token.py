"""Answers for one position less than it is asked for."""

LOGITS = """
if not self.training:
    return logits[:, :-1]
"""
ENDS = "TrialError"
WORDS = r"logits have shape \(\d+, 255, 300\), expected \(\d+, 256, 300\)"
