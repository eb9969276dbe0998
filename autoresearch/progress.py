"""What a running trial says about itself: a snapshot now and then, for a progress line or a supervisor.

This file needs nothing heavy, so that who watches a trial in another process need not import what trains it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One look at a trial in training."""

    fraction: float  # of the budget
    step: int
    loss: float  # nats a token, smoothed
    tokens_per_second: float
    mfu_percent: float | None
    seconds_left: float  # of the budget; estimated where the budget is one of steps

    @property
    def tenths(self) -> int:
        """How many tenths of the budget are used up, 0 to 10: the grid on which trials are compared."""
        return int(10 * self.fraction + 1e-9)  # 0.3 may be a little less than 3/10
