"""Harmless: returns log-probabilities, raised by a constant, as if they could sum to more than one."""

LOGITS = """
return torch.log_softmax(logits, -1) + 10.0
"""
ENDS = "score"
WORDS = ""
