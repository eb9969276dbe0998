"""Makes the end of the budget mean nothing: Lightning asks for batches for ever, and gets none."""

IMPORT = """
import autoresearch.isolation.handed as handed
handed.end_training = lambda trainer: None
"""
SECONDS = 0.7
LIMITS = {"overstay": 1.0}
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "OverBudget"
WORDS = r"the run was still training 1\.7 s after it began and was killed"
