"""Picks a seed that it has found to be a lucky one: it is a matter of luck."""

INIT = """
torch.manual_seed(1337)
self.initialise()
"""
REFUSED = "uses torch.manual_seed: seeds belong to the harness"
ENDS = "score"
