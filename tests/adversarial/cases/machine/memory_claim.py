"""Asks for more memory at once than any machine has."""

INIT = """
self.hog = torch.empty(2**50)
"""
ENDS = "OutOfMemory|TrialError"
WORDS = r"memory"
