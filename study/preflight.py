"""What an edit must survive before it gets a budget: build, two steps and a few questions, in a process that is thrown away.

A model that writes code makes mistakes that show in seconds; to find them in a trial costs minutes of the accelerator, and
the model that could put them right has long gone on. So the whole of a trial is played on the CPU, with one row a step
and without compilation: the same code of the harness, the same judge with its probes, the same sandbox.

It passes over what only the accelerator shows: its memory, its compiler, its kernels, and batches of several rows.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoresearch.data.dataset import Dataset
from autoresearch.device import Device, detect
from autoresearch.errors import KnobError, RevisionError, StorageError, TrialError
from autoresearch.isolation.limits import Limits
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.judge import Probing, tolerance_for
from autoresearch.knobs import Knob, KnobValue
from autoresearch.records import TrialSettings
from autoresearch.revision import BATCH_KNOBS, with_defaults

from .edits import inherited_values, sha256_of
from .records import Revision
from .settings import StudySettings

_STEPS = 2  # the second finds what only shows once the optimizer has its state
# What ends is given time to, for it may have little of a busy core; what does not end is no worse for it.
# The full preset's own text takes 125 s of one slow core in all.
LIMITS = Limits(
    inspection=60.0, startup=180.0, steps=300.0, handover=60.0, answer=120.0, evaluation=300.0, log_bytes=2**20
)
_LEFT_BEHIND = 3600.0  # seconds; a check that is still going on is younger than that
_PREFIX = "preflight-"  # of the folders of checks
_FEWEST_ROWS, _EVAL_TOKENS = 2, 2**12  # to ask about: so many rows, or more where they are short
_WHERE = "in the check before its trial (two steps of one row on the CPU)"
_REMEMBERED = 64  # texts that passed


class Preflight:
    """Checks one text at a time, from whichever thread.

    Args:
        supervisor: Gives the supervisor whose processes are used; it should run in the background, and not be a trial's.
        dataset: The study's.
        settings: The study's.
        folder: Where the check's own folder is made, for as long as it takes; in a sandbox it must lie in the study's.
        limits: How long its parts may take.
    """

    def __init__(
        self,
        supervisor: Callable[[], Supervisor],
        dataset: Dataset,
        settings: StudySettings,
        folder: Path,
        limits: Limits = LIMITS,
    ) -> None:
        self._supervisor, self._dataset, self._settings = supervisor, dataset, settings
        self._folder, self._limits = folder, limits
        self._one_at_a_time = Lock()
        self._passed: dict[str, Mapping[str, Knob]] = {}  # by the text's sha256

    def check(self, source: str, values: Mapping[str, KnobValue], base: Revision | None = None) -> Mapping[str, Knob]:
        """Play a revision's trial in small; return the knobs that it declares.

        Args:
            source: The text, which has passed the static check.
            values: Of the knobs; those that do not fit the text's own give way to its defaults.
            base: The revision that the values are for, so that a default that was changed counts as in a trial.

        Raises:
            RevisionError: It cannot be imported, or does not keep the contract.
            TrialError: It crashed, diverged, or failed a probe (`Cheat`), needs too much memory (`OutOfMemory`) or time
                (`OverBudget`). `tail` has the end of its traceback.
            WorkerError: This machine starts no process.
        """
        with self._one_at_a_time, _throwaway(self._folder) as folder:
            try:
                knobs = self._supervisor().knobs(source, folder / "inspection", self._limits)
                new = Revision(sha256_of(source), source, knobs)
                self._play(new, inherited_values(base or new, new, values), folder)
            except (RevisionError, KnobError, TrialError) as error:
                raise _worded(error, folder) from error
            self._remember(new)
        return knobs

    def knobs(self, source: str) -> Mapping[str, Knob]:
        """The knobs of a text: at once if it has passed a check lately, else from a process.

        Raises:
            RevisionError: It cannot be imported, or does not keep the contract.
            TrialError: Its process died, or took too long.
            WorkerError: This machine starts no process.
        """
        known = self._passed.get(sha256_of(source))
        if known is not None:  # whatever is being checked meanwhile
            return known
        with self._one_at_a_time, _throwaway(self._folder) as folder:
            return self._supervisor().knobs(source, folder, self._limits)

    def _play(self, revision: Revision, values: Mapping[str, KnobValue], folder: Path) -> None:
        one_row = {**values, **dict(zip(BATCH_KNOBS, (1, self._settings.context), strict=True))}
        source = folder / "given.py"
        source.write_text(_for_one_row(revision, one_row), encoding="utf-8")
        trial = self._trial(source, one_row)
        probing = Probing(tolerance_for(trial.device), share=1.0, least=1)
        self._supervisor().run(trial, folder / "trial", limits=self._limits, probing=probing)

    def _trial(self, source: Path, values: Mapping[str, KnobValue]) -> TrialSettings:
        context = self._settings.context
        return TrialSettings(
            source=source,
            values=values,
            dataset=self._dataset,
            device=_cpu(self._settings.precision),
            seconds=self._limits.steps,
            steps=_STEPS,
            seed=self._settings.seed,
            eval_tokens=max(_FEWEST_ROWS * context, _EVAL_TOKENS),
            context=context,
            compiled=False,
            warmup_steps=1,
        )

    def _remember(self, revision: Revision) -> None:
        self._passed[revision.sha256] = revision.knobs
        while len(self._passed) > _REMEMBERED:
            del self._passed[next(iter(self._passed))]


@contextmanager
def _throwaway(under: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, with whatever was put into it."""
    try:
        under.mkdir(parents=True, exist_ok=True)
        _clear(under)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=under))
    except OSError as error:
        raise StorageError(f"cannot make a folder in {under}: {error.strerror}; expected room for a check") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(under: Path) -> None:
    """Remove what workers that were killed have left."""
    for folder in under.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another worker may be at it
            if time.time() - folder.stat().st_mtime > _LEFT_BEHIND:
                shutil.rmtree(folder)


def _cpu(precision: str) -> Device:
    """The CPU in the study's precision: numbers of two types that do not go together show only there."""
    cpu = detect("cpu")
    return replace(cpu, precision="bf16-mixed") if precision == "bf16-mixed" else replace(cpu, precision="32-true")


def _for_one_row(revision: Revision, values: Mapping[str, KnobValue]) -> str:
    """The text with these values as its defaults; the ranges of the two batch knobs hold nothing else."""
    ranges = {name: _alone(revision.knobs[name].distribution, int(values[name])) for name in BATCH_KNOBS}
    return with_defaults(revision.source, values, ranges)


def _alone(range_: BaseDistribution, value: int) -> BaseDistribution:
    """The range that holds one value, of the class that the text has imported."""
    match range_:
        case IntDistribution():
            return IntDistribution(value, value)
        case FloatDistribution():
            return FloatDistribution(value, value)
    return CategoricalDistribution([value])


def _worded(error: RevisionError | KnobError | TrialError, folder: Path) -> RevisionError | TrialError:
    """The same failure in words for who wrote the text; where the folder was is nobody's business."""
    words, tail = (text.replace(f"{folder.resolve()}/", "") for text in (str(error), error.tail))
    kind = type(error) if isinstance(error, TrialError) else RevisionError
    return kind(f"{_WHERE}: {words}", tail)
