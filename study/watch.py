"""What a worker tells whoever watches it: the display on a terminal, plain lines in a log, a test."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from autoresearch.progress import Progress

from .records import Status, TrialRecord


@dataclass(frozen=True)
class Standing:
    """Where the study stands between two trials."""

    best: float | None  # val_bpb of the incumbent
    gain: float | None  # of the incumbent over the first baseline run; positive is better
    counts: dict[Status, int]
    seconds_left: float | None  # to the deadline
    trials_left: int | None  # of this run's number
    spent_usd: Decimal | None = None  # on a language model, where there is one
    limit_usd: Decimal | None = None


class Watch:
    """Hears of everything and does nothing; subclasses show what they like."""

    def note(self, line: str) -> None:
        """Something happened that is no trial's."""

    def started(self, trial: TrialRecord) -> None:
        """A trial's process is about to be started."""

    def progress(self, trial: TrialRecord, progress: Progress) -> None:
        """A trial trains."""

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        """A trial has its final status."""
