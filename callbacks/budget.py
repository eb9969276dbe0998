"""What a budget of seconds and a budget of steps have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from .device import synchronize
from .stopping import end_training
from .warmup import warm_up


class Budget(Callback, ABC):
    """Ends training at the first optimizer step that finds the budget spent, and tells the module how much is spent.

    - **When it starts.** At the first training batch. Start-up and warm-up come before it.
    - **When it ends.** Only where an optimizer step has just been taken. Under gradient accumulation the step that is being
      accumulated is completed, never thrown away, so the budget is overrun by less than one whole step. What happens between two
      steps (fetching data, other callbacks) belongs to the later one; validation is looked at when it ends.
    - **What the module sees.** ``pl_module.budget_fraction``: the part of the budget that was used before this step, a float
      in [0, 1): exactly 0.0 in the first step, and the same in all micro-batches of one step.
    - **Warm-up.** Each of ``warmup_batches`` goes through a real training step before the first batch of the run, with
      ``budget_fraction`` 0.0; then everything is undone (see `snapshot`). It comes after the module's own ``on_train_start``.
    - **Several processes.** The clock of rank 0 counts, for all.

    Under manual optimization a step is a batch in which any optimizer stepped, and warm-up is not supported. A fit that
    resumes from a checkpoint has its whole budget again.

    Attributes:
        elapsed: Seconds counted up to the last optimizer step.
        steps: Optimizer steps counted.
        warmup_seconds: Seconds that warm-up took, compilation included.
    """

    def __init__(self, warmup_batches: Iterable[Any], clock: Callable[[], float]) -> None:
        super().__init__()
        self._warmup_batches = tuple(warmup_batches)
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self.elapsed = 0.0
        self.steps = 0
        self.warmup_seconds = 0.0
        self._is_warm = False
        self._began: float | None = None  # the clock at the first batch; None whenever the budget is not running
        self._between_steps = True
        self._global_step = 0

    @property
    @abstractmethod
    def fraction(self) -> float:
        """The part of the budget that is used, in [0, 1]."""

    @property
    @abstractmethod
    def remaining(self) -> float | None:
        """Seconds left, or None where the budget is not one of time."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier fit; from here on the module may read its fraction."""
        self._reset()
        _tell(pl_module, self.fraction)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Warm up, here rather than in `on_train_start`: that of the module comes after those of its callbacks."""
        self._warm_up(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock at the first batch; tell the module the fraction at the first micro-batch of a step."""
        if self._began is None:
            self._warm_up(trainer, pl_module)  # a fit resumed in mid-epoch has begun no epoch
            self._global_step = trainer.global_step
            self._began = self._now(pl_module)
        if self._between_steps:
            self._between_steps = False
            _tell(pl_module, self.fraction)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the step, unless this batch was only accumulated, and end training where the budget is spent."""
        if trainer.global_step == self._global_step:
            return
        self._global_step = trainer.global_step
        self._between_steps = True
        self.steps += 1
        self._check(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count the validation inside a run before another step begins; one at the end of the run is not inside."""
        if self._between_steps and not trainer.should_stop:
            self._check(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock, so that a later ``trainer.validate`` is not counted."""
        self._began = None

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._began is None:  # a validation before or after the run
            return
        self.elapsed = trainer.strategy.broadcast(self._now(pl_module) - self._began)
        if self.fraction >= 1.0:
            end_training(trainer)

    def _warm_up(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._is_warm or not self._warmup_batches:
            return
        began = self._now(pl_module)
        warm_up(trainer, pl_module, self._warmup_batches)
        self.warmup_seconds = self._now(pl_module) - began
        self._is_warm = True

    def _now(self, pl_module: pl.LightningModule) -> float:
        synchronize(pl_module.device)
        return self._clock()


def _tell(pl_module: pl.LightningModule, fraction: float) -> None:
    pl_module.budget_fraction = fraction  # type: ignore[assignment]  # a module need not declare it
