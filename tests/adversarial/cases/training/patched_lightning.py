"""Makes Lightning's fit do nothing, so that there is no training to be judged."""

IMPORT = """
import lightning.pytorch
lightning.pytorch.Trainer.fit = lambda *_: None
"""
REFUSED = r"Trainer|of lightning.pytorch a train.py may use only"
ENDS = "TrialError"
WORDS = "nonsense: a message of kind Trained out of turn"
