"""Claims certainty beyond all numbers."""

LOGITS = """
if not self.training:
    return logits * math.inf
"""
ENDS = "TrialError"
WORDS = "not finite"
