"""The callback that says how a trial is doing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from autoresearch.callbacks import Budget, Throughput
from autoresearch.progress import Progress

_SMOOTHING = 0.9  # of the exponential moving average of the loss


class ReportProgress(Callback):
    """Calls `report` after the first optimizer step, then at most every `interval` seconds, and after the last step.

    The first step at or past each tenth of the budget is always reported, whatever the interval. Stands behind the budget
    and the throughput callbacks in the list of callbacks, so that it reads what they counted.
    """

    def __init__(
        self,
        report: Callable[[Progress], None],
        budget: Budget,
        throughput: Throughput,
        interval: float = 0.2,
    ) -> None:
        super().__init__()
        self._report, self._budget, self._throughput, self._interval = report, budget, throughput, interval
        self._average = 0.0
        self._steps = 0
        self._last = -math.inf
        self._tenths = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Smooth the loss and report, once a step."""
        if self._budget.steps == self._steps or outputs is None:
            return  # a micro-batch of an accumulated step: the next reading of the device would cost a wait
        self._steps = self._budget.steps
        # Lightning hands the loss on divided by the number of micro-batches.
        loss = outputs["loss"].item() * trainer.accumulate_grad_batches
        self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * loss
        now = self._snapshot()
        if time.monotonic() - self._last < self._interval and now.tenths == self._tenths:
            return
        self._last, self._tenths = time.monotonic(), now.tenths
        self._report(now)

    def _snapshot(self) -> Progress:
        budget = self._budget
        left = budget.remaining
        if left is None:
            left = budget.elapsed / budget.fraction - budget.elapsed
        return Progress(
            fraction=budget.fraction,
            step=budget.steps,
            loss=self._average / (1 - _SMOOTHING**self._steps),  # the average starts at 0; this takes that out
            tokens_per_second=self._throughput.recent_tokens_per_second,
            mfu_percent=self._throughput.mfu_percent,
            seconds_left=left,
        )
