"""Keeps a running mean of all that it was ever asked, and adds it to what it is asked next."""

INIT = """
self.past = [torch.zeros(())]
"""
FORWARD = """
if not self.training:
    x = x + self.past[0]
    self.past[0] = 0.5 * self.past[0] + x.detach().mean((0, 1))
"""
ENDS = "Cheat"
WORDS = "nothing may be kept from batch to batch"
