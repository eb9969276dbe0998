"""Walks up the stack to where the labels might be."""

LOGITS = """
import sys
frame = sys._getframe()
while frame is not None and not self.training:
    for name, value in {**frame.f_globals, **frame.f_locals}.items():
        if name in ("val_rows", "labels", "targets", "token_bytes", "dataset", "settings") or type(value).__name__ == "Dataset":
            raise RuntimeError(f"found {name} in {frame.f_code.co_qualname}")
    frame = frame.f_back
"""
REFUSED = "imports sys"
ENDS = "score"
SAME_SCORE = True
