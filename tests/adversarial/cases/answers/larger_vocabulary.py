"""Answers for more tokens than there are."""

LOGITS = """
return torch.cat((logits, logits), -1)
"""
ENDS = "TrialError"
WORDS = r"logits have shape \(1, 256, 600\), expected \(1, 256, 300\)"
