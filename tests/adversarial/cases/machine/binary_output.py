"""Prints what a terminal or a database would take amiss, and fails."""

STEP = """
import sys
sys.stdout.buffer.write(bytes(range(256)) * 4)
raise ValueError("\\x1b[2J\\x00\\ud800 \\u202e gone")
"""
REFUSED = "imports sys"
ENDS = "TrialError"
WORDS = r"^train\.py failed: ValueError: .*gone \(line \d+\)$"
