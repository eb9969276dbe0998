"""Careless: a running average that is only registered when training begins; the judge cannot build the model again."""

METHODS = """
def on_train_start(self):
    self.register_buffer("average", torch.zeros(3))
"""
ENDS = "TrialError"
WORDS = r"do not fit the model .*register parameters and buffers in __init__.*: Unexpected key.*average"
