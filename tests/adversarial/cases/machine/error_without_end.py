"""Fails with a message of ten million characters."""

STEP = """
raise ValueError("x" * 10_000_000)
"""
ENDS = "TrialError"
WORDS = r"^train\.py failed: ValueError: x{400,500}"
