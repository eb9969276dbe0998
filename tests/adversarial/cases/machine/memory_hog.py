"""Asks for more and more memory."""

INIT = """
import time
self.hog = []
for _ in range(40):
    self.hog.append(torch.ones(2**26))  # 256 MiB
    time.sleep(0.2)
"""
REFUSED = "imports time"
NEEDS = "sandbox"
ENDS = "OutOfMemory"
WORDS = "memory"
