"""Ending a run for good."""

import lightning.pytorch as pl


def end_training(trainer: pl.Trainer) -> None:
    """Make the batch that has just ended the last one of this fit.

    Lightning reads ``should_stop`` after each batch, but goes on while ``min_epochs`` or ``min_steps`` are unmet. Those
    exist to hold back early stopping; a spent budget or a diverged loss must not wait for them, so they are cleared (and
    stay cleared: a later fit of the same Trainer has no minimum).

    Args:
        trainer: The Trainer whose fit is to end.
    """
    trainer.should_stop = True
    trainer.fit_loop.min_epochs = 0
    trainer.fit_loop.epoch_loop.min_steps = None
