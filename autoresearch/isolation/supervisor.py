"""One trial in a process of its own, judged from here: `Supervisor.run` is `run_trial` for code that nobody has read."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import cache as remember
from pathlib import Path
from types import TracebackType

from autoresearch.device import Device, peak_flops
from autoresearch.judge import arithmetic_device, judge, judge_on_test
from autoresearch.knobs import Knob
from autoresearch.progress import Progress
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import read_source

from .job import LOG, SCRATCH, SOURCE, describe_inspection, describe_trial, slate_shape
from .limits import Limits
from .nursery import Nursery
from .session import Session
from .slate import new_slate
from .warm_process import FORKS


class Supervisor:
    """Runs one trial after another, each in a fresh child of one warm process."""

    def __init__(self, cache: Path, limits: Limits | None = None, forks: bool = FORKS) -> None:
        """Start the warm process.

        Args:
            cache: A folder for compiled code, kept between trials and between workers; made if need be.
            limits: How long the parts of a trial may take.
            forks: Whether trials are forks of the warm process, or new processes (slower, for where a fork is not safe).

        Raises:
            InputError: On Windows.
        """
        self._limits = limits or Limits()
        self._nursery = Nursery(cache.resolve(), forks)
        self._nursery.warm_up()

    def __enter__(self) -> Supervisor:
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
        """
        _furnish(folder, source)
        with (
            self._nursery.candidate(folder, None) as candidate,
            Session(candidate, folder / LOG, self._limits) as session,
        ):
            return session.knobs(describe_inspection())

    def run(
        self,
        settings: TrialSettings,
        folder: Path,
        watch: Callable[[Progress], None] | None = None,
        also_test: bool = False,
    ) -> TrialResult:
        """Train once in a child, and judge it here.

        Args:
            settings: As for `run_trial`; `source` is copied into the folder.
            folder: The trial's: its `train.py`, its `log.txt`, and the child's working directory. Made if need be.
            watch: Is told of progress. Whatever it raises stops the trial and comes out of here.
            also_test: Score on the locked test split as well.

        Raises:
            RevisionError, KnobError, DataError: As `run_trial`.
            TrialError: `OutOfMemory`, `Diverged`, `OverBudget`; or it crashed or its process died. `tail` has the end of
                its traceback or log.
        """
        started = time.monotonic()
        settings.dataset.train_rows(settings.context)  # raises here what need not be found out over there
        device = arithmetic_device(settings.device)
        descriptor, slate = new_slate(slate_shape(settings))
        _furnish(folder, settings.source)
        job = describe_trial(settings, _peak_flops(settings.device))
        try:
            with (
                self._nursery.candidate(folder, descriptor) as candidate,
                Session(candidate, folder / LOG, self._limits) as session,
            ):
                allowed = self._limits.training(settings.seconds, settings.steps)
                trained, began, ended = session.train(job, allowed, watch)
                forward = session.forward(slate, device)
                score = judge(forward, settings, device)
                test = judge_on_test(forward, settings, device) if also_test else None
                peak = session.finish().peak_memory_bytes
                finished = time.monotonic()
        finally:
            os.close(descriptor)
            shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        warmup = min(trained.warmup_seconds, began - started)
        return TrialResult(
            val_bpb=score.bpb,
            training_seconds=ended - began,
            startup_seconds=began - started - warmup,
            warmup_seconds=warmup,
            eval_seconds=finished - ended,
            total_seconds=finished - started,
            peak_memory_bytes=peak,
            mfu_percent=trained.mfu_percent,
            tokens=trained.tokens,
            tokens_per_second=trained.tokens_per_second,
            epochs=trained.epochs,
            steps=trained.steps,
            parameters=trained.parameters,
            eval_tokens=score.tokens,
            seed=settings.seed,
            test_bpb=None if test is None else test.bpb,
        )


def _furnish(folder: Path, source: Path | str) -> None:
    text = read_source(source) if isinstance(source, Path) else source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SOURCE).write_text(text, encoding="utf-8")


@remember
def _peak_flops(device: Device) -> float:
    """Once a worker and not once a trial: where no datasheet has it, to measure it takes half a second."""
    return peak_flops(device)
