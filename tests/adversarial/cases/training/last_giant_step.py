"""Steps like any other, until the budget is nearly spent; the last one goes on."""

STEP = """
if self.budget_fraction > 0.75 and not hasattr(self, "late"):
    import time
    self.late = True
    time.sleep(4.0)
"""
SECONDS = 1.5
REFUSED = "imports time"
ENDS = "OverBudget"
WORDS = r"the last step ended \d\.\d s after the budget was spent, and a step took 0\.\d\d s before"
