"""What a study came to, from its trials alone: what was tried, what was found, and whether it can be believed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..noise import sigma_of
from ..records import OPEN, Incumbent, Kind, Promotion, Revision, Status, TrialRecord
from ..settings import StudySettings
from ..storage.runs import Run
from .confirmation import Confirmation, confirmations
from .described import description
from .speed import odd_speeds


@dataclass(frozen=True)
class Baseline:
    """The runs of revision 0 with its defaults, on one seed each."""

    runs: int
    mean: float
    sd: float | None  # None with a single run


@dataclass(frozen=True)
class Step:
    """One promotion, with the trial that it was for."""

    version: int
    number: int  # of the trial
    kind: Kind
    title: str
    val_bpb: float
    gain: float  # over the incumbent before it


@dataclass(frozen=True)
class Summary:
    """All that the last lines of a night say."""

    counts: Mapping[Kind, Mapping[Status, int]]  # of the trials
    baseline: Baseline | None
    sigma: float | None  # of val_bpb between seeds
    incumbent: Incumbent | None
    gain: float | None  # of the incumbent over the baseline on the same seed
    confirmation: Confirmation | None  # of this incumbent
    outdated: Confirmation | None  # of the latest incumbent before it that has one, where it has none
    odd_speeds: Mapping[int, float]  # of trials that ran faster or slower than their like, and by which share
    share_in_budget: float | None  # of the wall clock of all workers
    wall_seconds: float
    steps: tuple[Step, ...]


def summarize(
    history: Sequence[TrialRecord],
    incumbent: Incumbent | None,
    promotions: Sequence[Promotion],
    settings: StudySettings,
    runs: Sequence[Run] = (),
    revisions: Mapping[str, Revision] | None = None,
) -> Summary:
    """Sum a study up.

    Args:
        history: All of its trials.
        incumbent: The one that stands; None before the first baseline run has a score.
        promotions: All of them, version 0 included.
        settings: The study's.
        runs: The `optimize` commands that it comes from.
        revisions: By sha256; without them nothing is said of speeds.
    """
    wall, inside = _clocks(history, settings, runs)
    version = -1 if incumbent is None else incumbent.version
    begun = confirmations(history)
    ours = next((one for one in begun if one.version == version), None)
    start = next((promotion.val_bpb for promotion in promotions if promotion.version == 0), None)
    return Summary(
        counts=_counts(history),
        baseline=_baseline(history),
        sigma=sigma_of(history),
        incumbent=incumbent,
        gain=None if incumbent is None or start is None else start - incumbent.val_bpb,
        confirmation=ours,
        outdated=begun[-1] if begun and ours is None else None,
        odd_speeds={} if revisions is None else odd_speeds(history, revisions),
        share_in_budget=inside / wall if wall > 0 else None,
        wall_seconds=wall,
        steps=_steps(history, promotions, version),
    )


def _counts(history: Sequence[TrialRecord]) -> dict[Kind, dict[Status, int]]:
    """In the order in which the words are declared, whatever came first."""
    counted = Counter((trial.kind, trial.status) for trial in history)
    by_kind = {kind: {status: counted[kind, status] for status in Status if counted[kind, status]} for kind in Kind}
    return {kind: statuses for kind, statuses in by_kind.items() if statuses}


def _baseline(history: Sequence[TrialRecord]) -> Baseline | None:
    measured = (trial for trial in history if trial.kind is Kind.BASELINE and trial.status is Status.MEASURED)
    scores = [trial.val_bpb for trial in measured if trial.val_bpb is not None]
    if not scores:
        return None
    return Baseline(len(scores), statistics.fmean(scores), statistics.stdev(scores) if len(scores) > 1 else None)


def _steps(history: Sequence[TrialRecord], promotions: Sequence[Promotion], last: int) -> tuple[Step, ...]:
    trials = {trial.number: trial for trial in history}
    return tuple(
        Step(
            version=promotion.version,
            number=promotion.number,
            kind=trials[promotion.number].kind,
            title=description(trials[promotion.number], trials),
            val_bpb=promotion.val_bpb,
            gain=promotion.gain,
        )
        for promotion in sorted(promotions, key=lambda promotion: promotion.version)
        if 0 < promotion.version <= last
    )


def _clocks(history: Sequence[TrialRecord], settings: StudySettings, runs: Sequence[Run]) -> tuple[float, float]:
    """Seconds that workers were at work, and of those the seconds that were inside a training budget.

    A worker's time is from the start of its run to the end of its last trial. Interrupted trials do not count: when the
    trial of a dead worker ended is only known as when somebody noticed.
    """
    began = {run.id: run.started_at for run in runs}
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    inside = 0.0
    for trial in history:
        if trial.finished_at is None or trial.status in (*OPEN, Status.INTERRUPTED):
            continue
        worker = (trial.run, trial.worker)
        first, last = spans.get(worker, (began.get(trial.run, trial.created_at), trial.finished_at))
        spans[worker] = min(first, trial.created_at), max(last, trial.finished_at)
        inside += _trained(trial, settings)
    return sum(last - first for first, last in spans.values()), inside


def _trained(trial: TrialRecord, settings: StudySettings) -> float:
    """Seconds of training; of a trial that was stopped, at least as many as its last report tells of."""
    if "training_seconds" in trial.result:
        return float(trial.result["training_seconds"] + trial.result.get("other_run", {}).get("training_seconds", 0.0))
    percent = float(trial.result.get("last_report", (0, 0))[0])
    return settings.seconds * percent / 100 if settings.steps is None else 0.0
