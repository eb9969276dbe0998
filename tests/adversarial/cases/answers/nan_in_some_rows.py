"""Gives no number where it would rather not be judged."""

LOGITS = """
if not self.training:
    return torch.where((tokens[:, :1] % 2 == 0)[:, :, None], logits, math.nan)
"""
ENDS = "TrialError"
WORDS = "not finite"
