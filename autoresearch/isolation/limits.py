"""How long a candidate may take for each part of a trial, by the supervisor's clock, and how much it may print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """All of it is seconds but the last."""

    inspection: float = 60.0  # to import a revision and say what its knobs are
    startup: float = 900.0  # to import, build and compile; a large model's kernels take minutes where nothing is cached
    overstay: float = 10.0  # after the budget, for the step that was begun within it ...
    overstay_share: float = 0.1  # ... or this part of the budget, if that is more
    handover: float = 5.0  # from the end of the budget until the weights have arrived ...
    handover_share: float = 0.03  # ... or this part of the budget: who trains on meanwhile gains no more than that
    steps: float = 86_400.0  # for a budget of steps, which says nothing about time
    answer: float = 300.0  # for the logits of one batch; the first may compile something
    evaluation: float = 3600.0  # for those of all batches together
    log_bytes: int = 2**28  # a night of trials that print without end would fill a disk

    def training(self, seconds: float, steps: int | None) -> float:
        """For the whole of a budget."""
        return self.steps if steps is not None else seconds + max(self.overstay, self.overstay_share * seconds)

    def handing_over(self, seconds: float, steps: int | None) -> float:
        """For the weights, after a budget."""
        return self.handover if steps is not None else max(self.handover, self.handover_share * seconds)
