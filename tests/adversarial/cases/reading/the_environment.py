"""Looks for a key in the environment."""

LOOK = """
import os
for name, value in os.environ.items():
    if value == "geheim" or "KEY" in name:
        raise RuntimeError(f"found {name}")
"""
REFUSED = "imports os"
ENDS = "score"
SAME_SCORE = True
