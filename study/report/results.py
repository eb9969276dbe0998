"""A study as the results.tsv of karpathy/autoresearch: one experiment a line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from ..records import OPEN, Kind, Status, TrialRecord
from .described import description, shortened
from .figures import memory_gib_of

_HEADER = ("commit", "val_bpb", "memory_gb", "status", "description")
_LONGEST = 200  # characters of a description
_NO_EXPERIMENTS = (*OPEN, Status.INTERRUPTED)
_CRASH = "crash"
_STATUSES = {Status.KEEP: "keep", Status.DISCARD: "discard", Status.MEASURED: "keep", Status.PRUNED: "discard"}


def results_tsv(history: Iterable[TrialRecord]) -> str:
    """The text of results.tsv.

    Every experiment has one line: runs that only repeat one on another seed are left out, that is confirmations and all
    scored baselines but the first, and so are trials that were interrupted or still run. A crash has the zeros that the
    original gives it. A sample that was stopped early is a `discard` without a score, nan: with a zero it would look
    like the best of all.
    """
    trials = {trial.number: trial for trial in history}
    rows = [_HEADER, *(_row(trial, trials) for trial in _experiments(trials.values()))]
    return "".join("\t".join(row) + "\n" for row in rows)


def _experiments(history: Iterable[TrialRecord]) -> Iterator[TrialRecord]:
    baseline_seen = False
    for trial in history:
        if trial.kind is Kind.CONFIRM or trial.status in _NO_EXPERIMENTS:
            continue
        if trial.kind is Kind.BASELINE and trial.status is Status.MEASURED:
            if baseline_seen:
                continue
            baseline_seen = True
        yield trial


def _row(trial: TrialRecord, trials: Mapping[int, TrialRecord]) -> tuple[str, ...]:
    score, memory = trial.val_bpb, memory_gib_of(trial)
    status = _STATUSES.get(trial.status, _CRASH)
    if status == _CRASH:
        score = memory = 0.0
    return (
        trial.revision[:7],
        f"{math.nan if score is None else score:.6f}",
        f"{math.nan if memory is None else memory:.1f}",
        status,
        # Readers of TSV take a quotation mark for the start of a quoted field.
        shortened(description(trial, trials), _LONGEST).replace('"', "'"),
    )
