"""Is slow to hand over its weights."""

METHODS = """
def on_train_end(self):
    import time
    time.sleep(2.5)
"""
LIMITS = {"handover": 1.0}
REFUSED = r"imports time; .* \(a train.py keeps no clock"
ENDS = "OverBudget"
WORDS = r"the run took \d\.\d s to hand over its weights after the budget was spent: expected at most 1 s"
