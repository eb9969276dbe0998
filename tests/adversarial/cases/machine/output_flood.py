"""Prints without an end."""

STEP = """
print("x" * 50_000)
"""
STEPS = 100_000
LIMITS = {"log_bytes": 1_000_000}
ENDS = "TrialError"
WORDS = "the run printed over 1000000 bytes and was killed"
