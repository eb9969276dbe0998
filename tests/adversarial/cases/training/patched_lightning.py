"""Makes Lightning's fit do nothing, so that there is no training to be judged."""

IMPORT = """
import lightning.pytorch
lightning.pytorch.Trainer.fit = lambda *_: None
"""
REFUSED = r"assigns to lightning\.pytorch\.Trainer|of lightning.pytorch a train.py may use only"
ENDS = "TrialError"
WORDS = "the run ended its training before the budget was spent"
