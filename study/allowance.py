"""How long the parts of a trial may take, from what the baseline took: an edit that crawls must not eat the night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autoresearch.isolation.limits import Limits

from .records import Kind, Status, TrialRecord

# An honest edit may be slower than the baseline, and the machine busier than it was.
_TIMES_SLOWER = 5.0
_GRACE_SECONDS = 60.0
_COMPILING_SECONDS = 180.0  # an edit compiles anew what the baseline may have found compiled


def limits_after(history: Sequence[TrialRecord], limits: Limits) -> Limits:
    """The limits of the next trial: those given until a baseline has a score, from then on several times what it took.

    Only the parts whose length the budget does not set are meant: the evaluation, the training where the budget is one
    of steps, and all that comes before the clock starts. Who has no data yet may still train then, on text that the code brings
    along.
    """
    measured = [trial for trial in history if trial.kind is Kind.BASELINE and trial.status is Status.MEASURED]
    if not measured:
        return limits
    until_the_clock = max(float(trial.result["startup_seconds"] + trial.result["warmup_seconds"]) for trial in measured)
    return replace(
        limits,
        startup=min(limits.startup, _COMPILING_SECONDS + _TIMES_SLOWER * until_the_clock),
        evaluation=min(limits.evaluation, _allowed(measured, "eval_seconds")),
        steps=min(limits.steps, _allowed(measured, "training_seconds")),
    )


def _allowed(measured: Sequence[TrialRecord], part: str) -> float:
    return _GRACE_SECONDS + _TIMES_SLOWER * max(float(trial.result[part]) for trial in measured)
