"""Says that its weights take four million million bytes."""

METHODS = """
def on_train_end(self):
    import autoresearch.isolation.candidate as harness
    from autoresearch.isolation.weights import TensorEntry
    harness.write_weights = lambda *_: (TensorEntry("huge", "float32", (10**12,)),)
"""
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "TrialError"
WORDS = "the run's process sent nonsense: tensors of 4000000000000 bytes"
