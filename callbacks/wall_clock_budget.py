"""A budget of seconds: what a trial is given."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from .budget import Budget


class WallClockBudget(Budget):
    """Ends training after ``seconds``, not counting start-up, compilation and warm-up; the contract is that of `Budget`.

    Args:
        seconds: The budget, over 0.
        warmup_batches: Batches like those of the train loader, for steps that are undone before the clock starts.
        clock: Returns seconds and never goes back. An accelerator is synchronized before each reading.

    Raises:
        ValueError: If ``seconds`` is not over 0.

    Example::

        budget = WallClockBudget(seconds=300, warmup_batches=[random_batch])
        trainer = Trainer(callbacks=[budget], max_epochs=-1)
        trainer.fit(module, loader)
        print(budget.steps, budget.elapsed, budget.warmup_seconds)
    """

    def __init__(
        self,
        seconds: float,
        warmup_batches: Iterable[Any] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not seconds > 0:  # written so that NaN is refused too
            raise ValueError(f"`WallClockBudget(seconds={seconds!r})`: expected a number of seconds over 0.")
        super().__init__(warmup_batches, clock)
        self.seconds = seconds

    @property
    def fraction(self) -> float:
        """The part of the budget that is used, in [0, 1]."""
        return min(self.elapsed / self.seconds, 1.0)

    @property
    def remaining(self) -> float:
        """Seconds left, 0.0 once the budget is spent."""
        return max(self.seconds - self.elapsed, 0.0)
