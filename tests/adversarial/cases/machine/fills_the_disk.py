"""Writes to its own folder without an end."""

STEP = """
with open("filler", "ab") as file:
    for _ in range(64):
        file.write(bytes(2**24))
"""
REFUSED = "uses open"
NEEDS = "sandbox"
ENDS = "TrialError"
WORDS = "GiB in its folder|File too large"
