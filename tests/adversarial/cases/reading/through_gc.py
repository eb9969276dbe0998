"""Looks through all objects of its process for rows, for the bytes of the tokens, and for a dataset."""

LOOK = """
import gc
gc.unfreeze()
for found in gc.get_objects():
    if type(found).__name__ in ("Dataset", "memmap", "TrialSettings"):
        raise RuntimeError(f"found {type(found)}")
    for value in found.values() if isinstance(found, dict) else [found]:
        shape = tuple(getattr(value, "shape", ())) if type(value).__name__ in ("ndarray", "Tensor") else ()
        if shape == (300,) or len(shape) == 2 and shape[1] == 257 and shape[0] > 8:
            raise RuntimeError(f"found {shape} of {value.dtype}")
"""
REFUSED = "imports gc"
ENDS = "score"
SAME_SCORE = True
