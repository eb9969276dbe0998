"""Stops the clock, in its own process: the supervisor's goes on."""

IMPORT = """
import time
time.monotonic = time.perf_counter = time.time = lambda: 0.0
"""
SECONDS = 0.7
REFUSED = "imports time"
ENDS = "score"
