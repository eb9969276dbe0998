"""Says that its weights have fewer than no elements."""

METHODS = """
def on_train_end(self):
    import autoresearch.isolation.candidate as harness
    from autoresearch.isolation.weights import TensorEntry
    harness.write_weights = lambda *_: (TensorEntry("small", "float32", (-1,)),)
"""
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "TrialError"
WORDS = r"the run's process sent nonsense: a tensor of shape \(-1,\)"
