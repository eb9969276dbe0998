"""One trial measured: its score, and a second one where the first is too good to be true."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from autoresearch.data.dataset import Dataset
from autoresearch.device import Device
from autoresearch.isolation.limits import Limits
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.progress import Progress
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import with_defaults

from .allowance import limits_after
from .folders import Folders, write_source
from .preflight import Preflight
from .records import SEARCH_KINDS, Incumbent, Kind, TrialRecord
from .settings import StudySettings
from .storage.ledger import Ledger
from .suspicion import implausible_gain, probing_of

# Of a second run of what gained too much: one that no trial of the search has.
_OTHER_SEED = 999_983


@dataclass(frozen=True)
class Bench:
    """What a worker works with on its machine."""

    settings: StudySettings
    dataset: Dataset
    device: Device
    supervisor: Supervisor
    folders: Folders
    preflight: Preflight  # in processes of its own, which give way to the supervisor's


@dataclass(frozen=True)
class Circumstances:
    """How a trial is looked at, and by whom."""

    threshold: float  # the gain that a promotion takes
    max_gain: float | None  # the gain that is believed at once; None for several times the noise
    watch: Callable[[Progress], None]  # of the first run
    watch_again: Callable[[Progress], None]  # of the second
    note: Callable[[str], None]
    time_for_another: Callable[[], bool]  # whether a second run would end before the deadline
    interruptible: Callable[[], AbstractContextManager[None]]  # where Ctrl-C may act: in a run, and not in the database


@dataclass(frozen=True)
class Measured:
    """What a trial came to."""

    result: TrialResult  # that counts
    other: TrialResult | None  # of the run that does not, where there were two
    unconfirmed: bool = False  # it gained more than is plausible, and there was no time to see that again

    def figures(self, device: Device) -> dict[str, Any]:
        """All that is kept of it."""
        figures = asdict(self.result) | {"device": device.name}
        if self.other is not None:
            names = ("seed", "val_bpb", "training_seconds", "total_seconds")
            figures["other_run"] = {name: getattr(self.other, name) for name in names}
        return figures | ({"unconfirmed": True} if self.unconfirmed else {})


def measure(ledger: Ledger, bench: Bench, trial: TrialRecord, how: Circumstances) -> Measured:
    """Run a trial; where it gains more than is plausible, run it again on another seed, and the worse score counts.

    Raises:
        As `Supervisor.run`.
    """
    settings, history, incumbent = settings_of(ledger, bench, trial), ledger.history(), ledger.incumbent()
    confirms = trial.kind is Kind.CONFIRM
    run = partial(
        bench.supervisor.run,
        also_test=confirms,
        limits=_limits(bench, history, confirms),
        probing=probing_of(trial, history, incumbent, how.threshold, bench.device),
        lineage=_lineage(ledger, trial),
    )
    with how.interruptible():
        first = run(settings, settings.source.parent, watch=how.watch)
    if not _is_implausible(first, trial, history, incumbent, how):
        return Measured(first, None)
    if not how.time_for_another():
        return Measured(first, None, unconfirmed=True)
    # In a folder of its own: it shall find nothing that the first has left.
    folder = bench.folders.second(trial.number)
    try:
        # The text anew from the database: the first run could write to the file.
        again = replace(settings_of(ledger, bench, trial), seed=_OTHER_SEED)
        with how.interruptible():
            second = run(again, folder, watch=how.watch_again)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    better, worse = sorted((first, second), key=lambda result: result.val_bpb)
    return Measured(worse, better)


def settings_of(ledger: Ledger, bench: Bench, trial: TrialRecord) -> TrialSettings:
    """The trial as the supervisor runs it, its text with its values as defaults in a folder of its own."""
    revision = ledger.revision(trial.revision)
    return TrialSettings(
        source=write_source(bench.folders.trial(trial.number), with_defaults(revision.source, trial.values)),
        values=trial.values,
        dataset=bench.dataset,
        device=bench.device,
        seconds=bench.settings.seconds,
        steps=bench.settings.steps,
        seed=trial.seed,
        eval_tokens=bench.settings.eval_tokens,
        context=bench.settings.context,
        compiled=bench.settings.compiled,
    )


def _is_implausible(
    result: TrialResult,
    trial: TrialRecord,
    history: Sequence[TrialRecord],
    incumbent: Incumbent | None,
    how: Circumstances,
) -> bool:
    if trial.kind not in SEARCH_KINDS or incumbent is None:
        return False
    gain, limit = incumbent.val_bpb - result.val_bpb, implausible_gain(history, how.max_gain)
    if gain <= limit:
        return False
    how.note(f"trial {trial.number} gained {gain:.4f}, more than is plausible ({limit:.4f}): it must do so twice")
    return True


def _lineage(ledger: Ledger, trial: TrialRecord) -> list[str]:
    """The trial's revision and its parent: it shares compiled code with them."""
    revision = ledger.revision(trial.revision)
    return [name for name in (revision.sha256, revision.parent) if name is not None]


def _limits(bench: Bench, history: Sequence[TrialRecord], confirms: bool) -> Limits:
    limits = limits_after(history, bench.supervisor.limits)
    return replace(limits, evaluation=2 * limits.evaluation) if confirms else limits  # the test split comes on top
