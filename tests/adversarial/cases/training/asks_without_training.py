"""Asks for the whole budget's batches at once, before Lightning does, and trains on none: it is no wiser for it."""

IMPORT = """
import gc
for found in gc.get_objects():
    if type(found).__name__ == "Link":
        LINK = found
"""
METHODS = """
def on_train_start(self):
    for _ in range(self.hp.total_batch_size // self.hp.device_batch_size // self.context * 4):
        LINK.send("next")
        assert LINK.receive()["tape"] == "batch"
"""
REFUSED = "imports gc"
ENDS = "score"
