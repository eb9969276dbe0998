"""Hands over weights that its own model, built anew, has no place for."""

METHODS = """
def on_train_end(self):
    self.head = nn.Linear(self.width, 7)
"""
ENDS = "TrialError"
WORDS = (
    r"the trained weights do not fit the model as it is built anew .*head\.bias.*head\.weight: .*\[7, 32\].*\[300, 32\]"
)
