"""Training batches as a candidate gets them: one at a time, on request, until there are no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import torch

from autoresearch.callbacks.budget import Budget
from autoresearch.callbacks.stopping import end_training
from autoresearch.data.loader import Batch, on_device

from .tape import Tape

# Lightning fetches one batch ahead from a loader without a length: it would ask for a batch before it has worked on the last.
_ENDLESS = 2**31


class Counterpart(Protocol):
    """The supervisor, as far as it is asked for batches."""

    def send(self, kind: str, **fields: Any) -> None:
        """Say something."""

    def receive(self) -> dict[str, Any]:
        """Wait for an answer."""


class HandedBatches:
    """Asks for a batch each time that one is wanted; ends when the answer is that the budget is spent."""

    def __init__(self, link: Counterpart, tape: Tape, device: torch.device) -> None:
        self._link, self._tape, self._device = link, tape, device
        self.at_end: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return _ENDLESS

    def __iter__(self) -> Iterator[Batch]:
        return on_device(self._fills(), (self._tape.shape.rows, self._tape.shape.length), self._device)

    def _fills(self) -> Iterator[Callable[[np.ndarray], None]]:
        while True:
            self._link.send("next")
            answer = self._link.receive()
            if answer["tape"] == "over":
                self.at_end()
                return
            yield partial(_copy, self._tape.slot(answer["slot"]))


def _copy(rows: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, rows)


class HandedBudget(Budget):
    """Tells the module how much of the budget is used; when it is spent is the supervisor's to say.

    Args:
        batches: Where the word that the budget is spent arrives.
        seconds: The budget; of no account where `steps` is given.
        steps: The budget in optimizer steps.
        warmup_batches: As for any budget.
        clock: Returns seconds and never goes back.
    """

    def __init__(
        self,
        batches: HandedBatches,
        seconds: float,
        steps: int | None,
        warmup_batches: Iterable[Any],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(warmup_batches, clock)
        self._batches, self._seconds, self._total_steps = batches, seconds, steps

    @property
    def fraction(self) -> float:
        """The part of the budget that is used, in [0, 1]."""
        used = self.elapsed / self._seconds if self._total_steps is None else self.steps / self._total_steps
        return min(used, 1.0)

    @property
    def remaining(self) -> float | None:
        """Seconds left, or None where the budget is one of steps."""
        return max(self._seconds - self.elapsed, 0.0) if self._total_steps is None else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Be ready for the end."""
        super().on_train_start(trainer, pl_module)
        self._batches.at_end = lambda: end_training(trainer)

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._began is not None:
            self.elapsed = self._now(pl_module) - self._began
