"""Returns a loss in place of logits."""

LOGITS = """
if not self.training:
    return torch.zeros(())
"""
ENDS = "TrialError"
WORDS = r"logits have shape \(\), expected"
