"""How the night is divided: trials until there is only time left to confirm what they found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from .records import Incumbent, Kind, TrialRecord
from .settings import StudySettings
from .watch import Standing

# Start-up, a first compilation and the evaluation, before any trial has shown what they take here.
_FIRST_GUESS_OF_OVERHEAD = 60.0
# Seconds from one trial to the next, for the database and the next proposal.
_BETWEEN = 1.0
# Trials whose durations say what the next will take; the longest of them counts.
_RECENT = 5
# The share of a short night that confirming may take; in a long one it takes less.
_LARGEST_SHARE_TO_CONFIRM = 0.3


class Schedule:
    """The time and the number of trials of one `optimize`.

    Args:
        settings: The budget of a trial.
        deadline: Seconds by `clock`, None without one.
        trials: How many trials this run may start, None without a limit.
        confirm: Fresh seeds on which the incumbent and the baseline are run again at the end.
        workers: How many share the confirmation.
        clock: The time, in the database's seconds.
    """

    def __init__(
        self,
        settings: StudySettings,
        deadline: float | None,
        trials: int | None,
        confirm: int,
        workers: int,
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._deadline, self._trials = settings, deadline, trials
        self.confirm, self._workers, self._clock = confirm, workers, clock
        self._began = clock()

    def seconds_a_trial(self, history: Sequence[TrialRecord]) -> float:
        """What a whole trial takes on this study's machine, start-up to score."""
        # The supervisor's figure: between score and status a worker may have been dead for a night.
        took = [_BETWEEN + trial.result["total_seconds"] for trial in history if "total_seconds" in trial.result]
        if took:
            return float(max(took[-_RECENT:]))
        return _FIRST_GUESS_OF_OVERHEAD + (self._settings.seconds if self._settings.steps is None else 0.0)

    def time_for_another(
        self, history: Sequence[TrialRecord], incumbent: Incumbent | None, fraction: float = 1.0
    ) -> bool:
        """Whether a trial that starts now ends before the deadline, and before what must be kept to confirm.

        Where nothing was promoted there is nothing to confirm, and the search has all the time.

        Args:
            history: All trials.
            incumbent: The one that stands.
            fraction: Of the budget of the trial in flight that is used; the other one starts when that is over.
        """
        left = self.seconds_left
        if left is None:
            return True
        one = self.seconds_a_trial(history)
        nothing_yet = incumbent is None or incumbent.version == 0
        reserved = 0.0 if nothing_yet else self._seconds_to_confirm(self.repeats(history), history)
        return left >= (2.0 - fraction) * one + reserved

    def time_to_confirm(self, runs: int, history: Sequence[TrialRecord]) -> bool:
        """Whether so many runs that confirm, shared between the workers, end before the deadline if they start now."""
        left = self.seconds_left
        return left is None or left >= -(-runs // self._workers) * self._seconds_a_confirmation(history)

    def repeats(self, history: Sequence[TrialRecord]) -> int:
        """On how many seeds there is time to confirm: as many as asked for, fewer in a short night."""
        if self._deadline is None:
            return self.confirm
        share = _LARGEST_SHARE_TO_CONFIRM * (self._deadline - self._began)
        fit = self.confirm
        while fit and self._seconds_to_confirm(fit, history) > share:
            fit -= 1
        return fit

    @property
    def seconds_left(self) -> float | None:
        """To the deadline."""
        return None if self._deadline is None else self._deadline - self._clock()

    def spent(self, started: int) -> bool:
        """Whether this run has started all its trials."""
        return self._trials is not None and started >= self._trials

    def standing(self, history: Sequence[TrialRecord], incumbent: Incumbent | None, started: int) -> Standing:
        """What a display shows between two trials; `started` is the number of trials that this run has started."""
        first = next((trial.val_bpb for trial in history if trial.kind is Kind.BASELINE and trial.val_bpb), None)
        return Standing(
            best=None if incumbent is None else incumbent.val_bpb,
            gain=None if incumbent is None or first is None else first - incumbent.val_bpb,
            counts=dict(Counter(trial.status for trial in history)),
            seconds_left=self.seconds_left,
            trials_left=None if self._trials is None else max(0, self._trials - started),
        )

    def _seconds_to_confirm(self, repeats: int, history: Sequence[TrialRecord]) -> float:
        rounds = -(-2 * repeats // self._workers)
        return rounds * self._seconds_a_confirmation(history)

    def _seconds_a_confirmation(self, history: Sequence[TrialRecord]) -> float:
        evaluation = [trial.result.get("eval_seconds", 0.0) for trial in history[-_RECENT:]]
        return self.seconds_a_trial(history) + max(evaluation, default=0.0)  # the test split is scored as well
