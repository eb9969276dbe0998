"""Ending a run that can no longer come to any good."""

import math
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from .stopping import end_training


class DivergenceGuard(Callback):
    """Ends training once the loss is NaN or infinite, or far above where it began.

    An untrained classifier predicts nearly uniformly, so a loss well over the first one means worse than knowing nothing.
    The limit is relative because a cap on the logits bounds the loss: an absolute limit might never be reached. A first
    loss of 0 or less gives no scale; then only NaN and infinity count.

    The loss of an optimizer step is the mean over its micro-batches, as `training_step` returned it (Lightning hands it on
    divided by ``accumulate_grad_batches``; that is undone), and over processes. It is fetched from the device once a step.

    Args:
        factor: How many times the first loss is too much, over 1.
        patience: How many steps in a row must be over it, at least 1; a lone spike recovers. NaN and infinity never wait.

    Attributes:
        reason: Why training was ended, in one line, or None.

    Raises:
        ValueError: If ``factor`` is not over 1 or ``patience`` is under 1.
    """

    def __init__(self, factor: float = 2.0, patience: int = 3) -> None:
        super().__init__()
        if not factor > 1:  # written so that NaN is refused too
            raise ValueError(f"`DivergenceGuard(factor={factor!r})`: expected a number over 1.")
        if patience < 1:
            raise ValueError(f"`DivergenceGuard(patience={patience!r})`: expected a number of steps, at least 1.")
        self.factor = factor
        self.patience = patience
        self._reset()

    def _reset(self) -> None:
        self.reason: str | None = None
        self._first: float | None = None
        self._steps_over = 0
        self._global_step = 0
        self._total: torch.Tensor | None = None  # sum of the micro-batches' losses, still on the device
        self._count = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier fit."""
        self._reset()
        self._global_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add up the loss; after an optimizer step, judge it."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            self._total = loss.detach() if self._total is None else self._total + loss.detach()
            self._count += 1
        if trainer.global_step == self._global_step:
            return
        self._global_step = trainer.global_step
        if self._total is None:
            return
        mean = self._total * (trainer.accumulate_grad_batches / self._count)
        mean = trainer.strategy.reduce(mean, reduce_op="mean")
        self._total, self._count = None, 0
        self.reason = self._judge(mean.item(), trainer.global_step)
        if self.reason is not None:
            end_training(trainer)

    def _judge(self, loss: float, step: int) -> str | None:
        """Return what is wrong with the loss of the optimizer step of this number (from 1), or None."""
        if not math.isfinite(loss):
            return f"loss is {loss} at step {step}"
        if self._first is None:
            self._first = loss
        is_over = loss > self.factor * self._first > 0
        self._steps_over = self._steps_over + 1 if is_over else 0
        if self._steps_over < self.patience:
            return None
        return f"loss {loss:.4g} at step {step} is over {self.factor} times the first loss ({self._first:.4g})"
