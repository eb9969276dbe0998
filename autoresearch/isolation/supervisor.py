"""One trial in a process of its own, judged from here: `Supervisor.run` is `run_trial` for code that nobody has read."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from autoresearch.data.loader import RowBatches
from autoresearch.device import Device, detect, peak_flops
from autoresearch.errors import DataError, InputError, KnobError, OutOfMemory
from autoresearch.judge import Examined, Probing, arithmetic_device, examine, tolerance_for
from autoresearch.knobs import Knob, batches_a_step
from autoresearch.progress import Progress
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import read_source
from autoresearch.sandbox.sandbox import Sandbox

from .feeder import Feeder
from .job import (
    LOG,
    SCRATCH,
    SOURCE,
    WEIGHTS_ROOM,
    describe_answers,
    describe_inspection,
    describe_trial,
    slate_shape,
    tape_shape,
)
from .kernels import Kernels, hand_out
from .limits import Limits
from .messages import Trained
from .nursery import Nursery
from .session import Session
from .shared_memory import allow_no_more_writing, shared_memory
from .slate import new_slate
from .tape import Tape
from .warm_process import FORKS
from .weights import TensorEntry


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
        sandbox: Sandbox | None = None,
        kernels: Kernels | None = None,
        background: bool = False,
    ) -> None:
        """Start the warm process.

        Args:
            cache: A folder for what the warm process compiles, for trials to read; made if need be.
            limits: How long the parts of a trial may take.
            forks: Whether trials are forks of the warm process, or new processes (slower, for where a fork is not safe).
            rehearse: Whether the warm process prepares torch's compiler for CPUs. None: where it works and there is no GPU.
            compiles: Whether it imports torch's compiler; a trial that compiles all the same only starts later.
            start: Starts a process, as `subprocess.Popen` does.
            sandbox: Around all trials; its study's folder must hold the cache and the folders of the trials. None: they run
                with all that this user may do.
            kernels: Where compiled code is kept from trial to trial; None for nowhere.
            background: Whether trials give way to whatever else runs here, and compute on one thread.

        Raises:
            InputError: On Windows, or where the cache cannot be written to.
            WorkerError: This machine starts no process.
        """
        self.limits, self.sandbox, self._kernels = limits or Limits(), sandbox, kernels
        if rehearse is None:
            rehearse = not torch.cuda.is_available() and detect("cpu").compile_obstacle is None
        self._nursery = Nursery(cache.resolve(), forks, rehearse, compiles, start, sandbox, background)
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

    def knobs(self, source: Path | str, folder: Path, limits: Limits | None = None) -> dict[str, Knob]:
        """Load a revision in a child and return the knobs that it declares.

        Args:
            source: A `train.py`, or its text.
            folder: The child's; made if need be.
            limits: How long it may take; by default the supervisor's.

        Raises:
            RevisionError: It cannot be imported or does not keep the contract.
            TrialError: Its process died, or took too long (`OverBudget`).
            WorkerError: This machine starts no process.
        """
        with (
            _furnished(folder, source),
            self._nursery.candidate(folder) as candidate,
            Session(candidate, folder / LOG, limits or self.limits) as session,
        ):
            return session.knobs(describe_inspection())

    def run(
        self,
        settings: TrialSettings,
        folder: Path,
        watch: Callable[[Progress], None] | None = None,
        also_test: bool = False,
        limits: Limits | None = None,
        probing: Probing | None = None,
        lineage: Sequence[str] = (),
    ) -> TrialResult:
        """Train once in a child, have the weights answer in others, and judge the answers here.

        Args:
            settings: As for `run_trial`; `source` is copied into the folder.
            folder: The trial's: its `train.py`, its `log.txt`, and the child's working directory. Made if need be.
            watch: Is told of progress. Whatever it raises stops the trial and comes out of here.
            also_test: Score on the locked test split as well.
            limits: How long the parts of this trial may take; by default the supervisor's.
            probing: How thoroughly it is probed whether the model plays by the rules.
            lineage: Names of its revision and of those that it comes from: it shares compiled code with them alone.

        Raises:
            RevisionError, KnobError, DataError: As `run_trial`.
            TrialError: `OutOfMemory`, `Diverged`, `OverBudget`, `Cheat`; or it crashed or its process died. `tail` has the
                end of its traceback or log.
            WorkerError: This machine starts no process.
        """
        started, limits = time.monotonic(), limits or self.limits
        device = arithmetic_device(settings.device)
        probing = probing or Probing(tolerance_for(settings.device))
        text = read_source(settings.source)  # once: the candidate may write where it lies
        with shared_memory(WEIGHTS_ROOM) as weights, _furnished(folder, text):
            training = self._train(settings, folder, weights, limits, watch, lineage)
            allow_no_more_writing(weights)
            answers = _Answers(self._nursery, settings, text, folder, weights, training.trained.weights, limits)
            with _out_of_memory(settings.device):
                examined = examine(answers.process, settings, device, probing, also_test)
        return _result(settings, training, examined, answers.peak_memory_bytes, started)

    def _train(
        self,
        settings: TrialSettings,
        folder: Path,
        weights: int,
        limits: Limits,
        watch: Callable[[Progress], None] | None,
        lineage: Sequence[str],
    ) -> _Training:
        rows = settings.dataset.train_rows(settings.context)
        accumulate = batches_a_step(settings.values, settings.row_tokens)
        try:
            batches = RowBatches(rows, int(settings.values["device_batch_size"]), settings.seed)
        except DataError as error:  # the data were looked at before: it is the revision's batch that they do not hold
            raise KnobError(str(error)) from error
        job = describe_trial(settings, _peak_flops(settings.device))
        shape, allowed = tape_shape(settings), limits.training(settings.seconds, settings.steps)
        keep = hand_out(self._kernels, lineage, folder / SCRATCH)
        with shared_memory(shape.size) as tape:
            place, budget = Tape(tape, shape, writable=True), (settings.seconds, settings.steps)
            feeder = Feeder(place, batches, accumulate, *budget, before_start=keep)
            with (
                self._nursery.candidate(folder, [tape, weights]) as candidate,
                Session(candidate, folder / LOG, limits, feeder) as session,
            ):
                trained, arrived = session.train(job, allowed, watch)
        feeder.check_end(arrived, limits.handing_over(settings.seconds, settings.steps))
        return _Training(trained, feeder, epochs=feeder.tokens / (batches.rows * settings.row_tokens))


class _Answers:
    """Fresh processes that answer with a trial's weights."""

    def __init__(
        self,
        nursery: Nursery,
        settings: TrialSettings,
        text: str,
        folder: Path,
        weights: int,
        entries: tuple[TensorEntry, ...],
        limits: Limits,
    ) -> None:
        self._nursery, self._settings, self._limits = nursery, settings, limits
        self._text, self._folder, self._weights, self._entries = text, folder, weights, entries
        self._deadline = time.monotonic() + limits.evaluation
        self.peak_memory_bytes = 0

    @contextmanager
    def process(self) -> Iterator[Callable[[Tensor], Tensor]]:
        """One of them, as a function from tokens to logits. It finds nothing that another one has left."""
        folder = self._folder / f"{SCRATCH}-{secrets.token_hex(4)}"
        job = describe_answers(self._settings, self._entries)
        try:
            with (
                new_slate(slate_shape(self._settings)) as (descriptor, slate),
                _furnished(folder, self._text),
                self._nursery.candidate(folder, [descriptor, self._weights], compiles=False) as candidate,
                Session(candidate, folder / LOG, self._limits) as session,
            ):
                session.build(job, self._deadline)
                yield session.forward(slate, arithmetic_device(self._settings.device), self._deadline)
                self.peak_memory_bytes = max(self.peak_memory_bytes, session.finish().peak_memory_bytes)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Training:
    """A training that has come to its end."""

    trained: Trained
    feeder: Feeder
    epochs: float


def _result(
    settings: TrialSettings, training: _Training, examined: Examined, peak_memory_bytes: int, started: float
) -> TrialResult:
    trained, feeder, finished = training.trained, training.feeder, time.monotonic()
    began, over = feeder.span
    until_training = began - started
    warmup = min(trained.warmup_seconds, until_training)  # the candidate's word
    return TrialResult(
        val_bpb=examined.score.bpb,
        training_seconds=over - began,
        startup_seconds=until_training - warmup,
        warmup_seconds=warmup,
        eval_seconds=finished - over,
        total_seconds=finished - started,
        peak_memory_bytes=max(trained.peak_memory_bytes, peak_memory_bytes),
        mfu_percent=trained.mfu_percent,
        tokens=feeder.tokens,
        tokens_per_second=feeder.tokens / (over - began),
        epochs=training.epochs,
        steps=feeder.steps,
        parameters=trained.parameters,
        eval_tokens=examined.score.tokens,
        seed=settings.seed,
        test_bpb=None if examined.test is None else examined.test.bpb,
        probe_difference=examined.difference,
        probed_in_full=examined.in_full,
    )


@contextmanager
def _out_of_memory(device: Device) -> Iterator[None]:
    """The judge reckons on the GPU that a candidate may have filled: where there is no room, that is the candidate's end."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"out of memory while the answers were judged: {str(error).splitlines()[0]}") from error
    finally:
        if device.kind == "cuda":
            torch.cuda.empty_cache()  # what this process keeps for itself the next candidate lacks


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
