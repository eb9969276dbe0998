"""Careless: an average of the weights in a plain attribute is lost, and the score is that of the weights themselves."""

INIT = """
self.average = None
"""
STEP = """
with torch.no_grad():
    now = self.head.weight.detach()
    self.average = now.clone() if self.average is None else self.average.lerp(now, 0.5)
"""
LOGITS = """
if not self.training and self.average is not None:
    logits = F.linear(norm(x), self.average).float()
"""
ENDS = "score"
SAME_SCORE = True
