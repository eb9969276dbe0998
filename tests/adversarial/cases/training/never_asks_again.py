"""Trains on its first batch for good: who never asks for another one is never told that time is over."""

STEP = """
while self.global_step == 1:
    (slope,) = torch.autograd.grad(next_token_loss(self, *batch), [self.head.weight])
    with torch.no_grad():
        self.head.weight -= 0.1 * slope
"""
SECONDS = 0.7
LIMITS = {"overstay": 1.0}
ENDS = "OverBudget"
WORDS = r"the run was still training 1\.7 s after it began and was killed"
