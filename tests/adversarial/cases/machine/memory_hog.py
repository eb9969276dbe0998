"""Asks for memory until there is none."""

INIT = """
self.hog = [torch.ones(2**26) for _ in range(256)]
"""
NEEDS = "sandbox"
ENDS = "OutOfMemory"
WORDS = "memory"
