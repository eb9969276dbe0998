"""One trial in a process of its own, judged from here: `Supervisor.run` is `run_trial` for code that nobody has read."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from autoresearch.bpb import Score
from autoresearch.device import Device, detect, peak_flops
from autoresearch.errors import InputError
from autoresearch.judge import arithmetic_device, judge, judge_on_test
from autoresearch.knobs import Knob
from autoresearch.progress import Progress
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import read_source

from .job import LOG, SCRATCH, SOURCE, describe_inspection, describe_trial, slate_shape
from .limits import Limits
from .messages import Trained
from .nursery import Nursery
from .session import Session
from .slate import new_slate
from .warm_process import FORKS


class Supervisor:
    """Runs one trial after another, each in a fresh child of one warm process."""

    def __init__(
        self,
        cache: Path,
        limits: Limits | None = None,
        forks: bool = FORKS,
        rehearse: bool | None = None,
        compiles: bool = True,
        start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
    ) -> None:
        """Start the warm process.

        Args:
            cache: A folder for compiled code, kept between trials and between workers; made if need be.
            limits: How long the parts of a trial may take.
            forks: Whether trials are forks of the warm process, or new processes (slower, for where a fork is not safe).
            rehearse: Whether the warm process prepares torch's compiler for CPUs. None: where it works and there is no GPU.
            compiles: Whether it imports torch's compiler; a trial that compiles all the same only starts later.
            start: Starts a process, as `subprocess.Popen` does.

        Raises:
            InputError: On Windows, or where the cache cannot be written to.
            WorkerError: This machine starts no process.
        """
        self.limits = limits or Limits()
        if rehearse is None:
            rehearse = not torch.cuda.is_available() and detect("cpu").compile_obstacle is None
        self._nursery = Nursery(cache.resolve(), forks, rehearse, compiles, start)
        self._nursery.warm_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process and all that is below it."""
        self._nursery.close()

    def knobs(self, source: Path | str, folder: Path) -> dict[str, Knob]:
        """Load a revision in a child and return the knobs that it declares.

        Args:
            source: A `train.py`, or its text.
            folder: The child's; made if need be.

        Raises:
            RevisionError: It cannot be imported or does not keep the contract.
            TrialError: Its process died, or took too long (`OverBudget`).
            WorkerError: This machine starts no process.
        """
        with (
            _furnished(folder, source),
            self._nursery.candidate(folder, None) as candidate,
            Session(candidate, folder / LOG, self.limits) as session,
        ):
            return session.knobs(describe_inspection())

    def run(
        self,
        settings: TrialSettings,
        folder: Path,
        watch: Callable[[Progress], None] | None = None,
        also_test: bool = False,
        limits: Limits | None = None,
    ) -> TrialResult:
        """Train once in a child, and judge it here.

        Args:
            settings: As for `run_trial`; `source` is copied into the folder.
            folder: The trial's: its `train.py`, its `log.txt`, and the child's working directory. Made if need be.
            watch: Is told of progress. Whatever it raises stops the trial and comes out of here.
            also_test: Score on the locked test split as well.
            limits: How long the parts of this trial may take; by default the supervisor's.

        Raises:
            RevisionError, KnobError, DataError: As `run_trial`.
            TrialError: `OutOfMemory`, `Diverged`, `OverBudget`; or it crashed or its process died. `tail` has the end of
                its traceback or log.
            WorkerError: This machine starts no process.
        """
        started = time.monotonic()
        settings.dataset.train_rows(settings.context)  # raises here what need not be found out over there
        job = describe_trial(settings, _peak_flops(settings.device))
        limits = limits or self.limits
        allowed = limits.training(settings.seconds, settings.steps)
        device = arithmetic_device(settings.device)
        with (
            new_slate(slate_shape(settings)) as (descriptor, slate),
            _furnished(folder, settings.source),
            self._nursery.candidate(folder, descriptor) as candidate,
            Session(candidate, folder / LOG, limits) as session,
        ):
            trained, began, ended = session.train(job, allowed, watch)
            forward = session.forward(slate, device)
            score = judge(forward, settings, device)
            test = judge_on_test(forward, settings, device) if also_test else None
            peak = session.finish().peak_memory_bytes
            times = _Times(started, began, ended, time.monotonic())
        return _result(score, test, trained, times, peak, settings.seed)


@dataclass(frozen=True)
class _Times:
    """By this process's clock."""

    started: float
    began: float  # to train
    ended: float  # training
    finished: float


def _result(
    score: Score, test: Score | None, trained: Trained, times: _Times, peak_memory_bytes: int, seed: int
) -> TrialResult:
    until_training = times.began - times.started
    warmup = min(trained.warmup_seconds, until_training)  # the candidate's word
    return TrialResult(
        val_bpb=score.bpb,
        training_seconds=times.ended - times.began,
        startup_seconds=until_training - warmup,
        warmup_seconds=warmup,
        eval_seconds=times.finished - times.ended,
        total_seconds=times.finished - times.started,
        peak_memory_bytes=peak_memory_bytes,
        mfu_percent=trained.mfu_percent,
        tokens=trained.tokens,
        tokens_per_second=trained.tokens_per_second,
        epochs=trained.epochs,
        steps=trained.steps,
        parameters=trained.parameters,
        eval_tokens=score.tokens,
        seed=seed,
        test_bpb=None if test is None else test.bpb,
    )


@contextmanager
def _furnished(folder: Path, source: Path | str) -> Iterator[None]:
    """A folder with a `train.py` in it and an empty log; what the candidate leaves in its TMPDIR goes at the end."""
    text = read_source(source) if isinstance(source, Path) else source
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SOURCE).write_text(text, encoding="utf-8")
        (folder / LOG).write_bytes(b"")
    except OSError as error:
        raise InputError(
            f"cannot write to {folder}: {error.strerror}; expected a folder with room for a trial"
        ) from None
    try:
        yield
    finally:
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)


def _peak_flops(device: Device) -> float | None:
    """For MFU; on a CPU it would have to be measured, and moves with the neighbours."""
    return None if device.kind == "cpu" else peak_flops(device)
