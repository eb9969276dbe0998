"""The noise of a study: how much val_bpb differs between runs of the same code and values."""

from __future__ import annotations

from collections.abc import Iterable

from .records import Kind, Status, TrialRecord
from .search.noise import pooled_sigma


def sigma_of(history: Iterable[TrialRecord]) -> float | None:
    """The standard deviation of val_bpb between seeds, from the baseline's runs and those that confirm.

    What the search itself measured stays out: an incumbent's own score was chosen for being low. A seed
    counts once: the same run twice says nothing of the difference between seeds.
    """
    groups: dict[tuple[str, str], dict[int, float]] = {}
    for trial in history:
        measures = trial.kind in (Kind.BASELINE, Kind.CONFIRM) and trial.status is Status.MEASURED
        if measures and trial.val_bpb is not None:
            values = repr(sorted(trial.values.items()))
            groups.setdefault((trial.revision, values), {})[trial.seed] = trial.val_bpb
    return pooled_sigma([list(by_seed.values()) for by_seed in groups.values()])
