"""Keeps what warm-up would undo: its tokens were noise, and the steps taken on them are lost time."""

IMPORT = """
import contextlib
import autoresearch.callbacks.warmup as warmup
for name in ("undo_training", "snapshot"):
    if hasattr(warmup, name):
        setattr(warmup, name, lambda *_: contextlib.nullcontext())
"""
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "score"
