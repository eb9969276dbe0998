"""Trials that ran faster or slower than their like: under a time budget a busy machine costs more than any seed."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping

from optuna.distributions import FloatDistribution

from ..records import Revision, TrialRecord

TOLERANCE = 0.05
_FEWEST = 3  # of a kind, to tell which of them is odd


def odd_speeds(history: Iterable[TrialRecord], revisions: Mapping[str, Revision]) -> dict[int, float]:
    """Numbers of the trials whose tokens/s are more than `TOLERANCE` off the median of their like -> by which share.

    Alike are trials of the same code whose values differ at most in numbers drawn from a continuous range: a learning rate
    does not change what a step costs, a depth or a batch size does.

    Args:
        history: The trials.
        revisions: By sha256, all that the trials ran.
    """
    groups: dict[tuple[object, ...], dict[int, float]] = defaultdict(dict)
    for trial in history:
        speed = trial.result.get("tokens_per_second")
        if trial.val_bpb is not None and speed:
            groups[_shape(trial, revisions[trial.revision])][trial.number] = float(speed)
    off = {}
    for speeds in groups.values():
        usual = statistics.median(speeds.values())
        if len(speeds) >= _FEWEST:
            off.update({number: speed / usual - 1 for number, speed in speeds.items()})
    return {number: share for number, share in sorted(off.items()) if abs(share) > TOLERANCE}


def _shape(trial: TrialRecord, revision: Revision) -> tuple[object, ...]:
    fixed = {
        name: value
        for name, value in trial.values.items()
        if not isinstance(revision.knobs[name].distribution, FloatDistribution)
    }
    return trial.revision, *sorted(fixed.items())
