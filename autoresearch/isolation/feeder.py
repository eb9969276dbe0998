"""The feeder: hands out the training batches, and holds the clock and the count that a trial is judged by."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from autoresearch.data.loader import RowBatches
from autoresearch.errors import OverBudget, TrialError
from autoresearch.progress import Progress

from .tape import SLOTS, Tape

# A last step may end so long after the budget; a busy machine makes one in many steps far longer than the others.
_LATE_SECONDS = 2.0
_TIMES_AS_LONG = 5.0
_FEW_STEPS = 4  # say nothing about how long a step takes


class Feeder:
    """Answers each question for a batch, until the budget is spent.

    The clock starts when the first batch is handed over. It is looked at where an optimizer step ends: a step that was
    begun is completed.

    Args:
        tape: Where the batches are written to.
        batches: The training rows in their order.
        accumulate: Batches of an optimizer step.
        seconds: The budget; of no account where `steps` is given.
        steps: The budget in optimizer steps.
        clock: Returns seconds and never goes back.
        before_start: Called before the clock starts, while the candidate waits for its first batch.
    """

    def __init__(
        self,
        tape: Tape,
        batches: RowBatches,
        accumulate: int,
        seconds: float,
        steps: int | None,
        clock: Callable[[], float] = time.monotonic,
        before_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._tape, self._batches, self._accumulate = tape, batches, accumulate
        self._seconds, self._steps_allowed = seconds, steps
        self._clock, self._before_start = clock, before_start
        self._picks: Iterator[np.ndarray] = batches.picks()
        self._handed = 0
        self.began: float | None = None
        self.over: float | None = None
        self._boundaries: list[float] = []  # when each step ended

    @property
    def steps(self) -> int:
        """Optimizer steps for which all batches were handed out."""
        return self._handed // self._accumulate

    @property
    def tokens(self) -> int:
        """Tokens that were handed out to be trained on."""
        return self._handed * self._tape.shape.rows * (self._tape.shape.length - 1)

    @property
    def fraction(self) -> float:
        """The part of the budget that is used, in [0, 1]."""
        if self.began is None:
            return 0.0
        if self._steps_allowed is not None:
            return min(1.0, self.steps / self._steps_allowed)
        return min(1.0, (self._clock() - self.began) / self._seconds)

    def answer(self) -> dict[str, Any]:
        """The answer to one question for a batch."""
        if self.began is None:
            self._before_start()
            self.began = self._clock()
            self._prepare()  # not before: the candidate can read the tape
        if self.over is None and self._handed % self._accumulate == 0:
            self._boundaries.append(self._clock())
            if self.fraction >= 1.0:
                self.over = self._boundaries[-1]
        if self.over is not None:
            return {"tape": "over"}
        slot = self._handed % SLOTS
        self._handed += 1
        return {"tape": "batch", "slot": slot}

    def follow_up(self) -> None:
        """Have the next batch ready, while the candidate works on the one it was given."""
        if self.over is None:
            self._prepare()

    @property
    def span(self) -> tuple[float, float]:
        """When the training began, and when the last step ended."""
        assert self.began is not None
        assert self.over is not None
        return self.began, self.over

    def check_end(self, arrived: float, handing_over: float) -> None:
        """Look back at how a training ended.

        Args:
            arrived: When the weights arrived.
            handing_over: Seconds that this may take.

        Raises:
            TrialError: It ended before its budget was spent.
            OverBudget: Its last step, or what came after it, took longer than an honest one would.
        """
        if self.began is None or self.over is None:
            raise TrialError("the run ended its training before the budget was spent")
        if arrived - self.over > handing_over:
            raise OverBudget(
                f"the run took {arrived - self.over:.1f} s to hand over its weights after the budget was spent: expected "
                f"at most {handing_over:g} s"
            )
        late = self._boundaries[-1] - self.began - self._seconds
        lasted = [after - before for before, after in itertools.pairwise(self._boundaries)]
        if self._steps_allowed is not None or len(lasted) <= _FEW_STEPS:
            return
        usual = statistics.median(lasted)
        if late > max(_LATE_SECONDS, _TIMES_AS_LONG * usual):
            raise OverBudget(
                f"the last step ended {late:.1f} s after the budget was spent, and a step took {usual:.2f} s before: "
                "expected steps of about the same length"
            )

    def corrected(self, progress: Progress) -> Progress:
        """What a candidate says of its progress, with our own count and clock in place of its words."""
        if self.began is None:
            return progress
        fraction, elapsed = self.fraction, self._clock() - self.began
        left = elapsed / fraction - elapsed if fraction > 0 else progress.seconds_left
        if self._steps_allowed is None:
            left = max(0.0, self._seconds - elapsed)
        return replace(progress, fraction=fraction, step=self.steps, seconds_left=left)

    def _prepare(self) -> None:
        self._batches.gather(next(self._picks), self._tape.slot(self._handed % SLOTS))
