"""A budget of optimizer steps: for tests, and for comparisons on a machine whose speed is not its own."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from .budget import Budget


class StepBudget(Budget):
    """Ends training after exactly ``steps`` optimizer steps; the contract is that of `Budget`.

    Args:
        steps: The budget, at least 1. Kept as ``total_steps``; the attribute ``steps`` counts those taken.
        warmup_batches: Batches like those of the train loader, for steps that are undone and not counted.
        clock: Returns seconds and never goes back, for ``elapsed`` and ``warmup_seconds``.

    Raises:
        ValueError: If ``steps`` is under 1.
    """

    def __init__(
        self,
        steps: int,
        warmup_batches: Iterable[Any] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if steps < 1:
            raise ValueError(f"`StepBudget(steps={steps!r})`: expected a whole number of optimizer steps, at least 1.")
        super().__init__(warmup_batches, clock)
        self.total_steps = steps

    @property
    def fraction(self) -> float:
        """The part of the budget that is used, in [0, 1]."""
        return min(self.steps / self.total_steps, 1.0)

    @property
    def remaining(self) -> None:
        """None: how long the steps that are left will take is not known."""
        return None
