"""Hands over its weights before the budget is spent."""

STEP = """
if self.global_step == 2:
    self.trainer.should_stop = True
"""
REFUSED = "reaches into the Trainer"
ENDS = "TrialError"
WORDS = "the run ended its training before the budget was spent"
