"""Brings a loader of its own, to train on what it likes."""

METHODS = """
def configure_callbacks(self):
    return []

def train_dataloader(self):
    return [(torch.zeros(2, self.context, dtype=torch.int64),) * 2] * 4
"""
REFUSED = "the harness makes the batches and the callbacks"
ENDS = "score"
SAME_SCORE = True
