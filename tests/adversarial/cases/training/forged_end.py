"""Says that it has been trained, with a score of its own, when it has not begun."""

IMPORT = """
import gc
for found in gc.get_objects():
    if type(found).__name__ == "Link":
        found.send("trained", val_bpb=0.1, warmup_seconds=0, tokens_per_second=1e9, mfu_percent=None, parameters=1,
                   peak_memory_bytes=0, weights=[])
"""
REFUSED = "imports gc"
ENDS = "TrialError"
WORDS = "the run's process sent nonsense: a message of kind Trained out of turn"
