"""One trial in this process: build a revision, train it for the budget, judge it by val_bpb."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autoresearch.callbacks import Budget, StepBudget, WallClockBudget, peak_memory
from autoresearch.data.loader import TrainBatches
from autoresearch.device import peak_flops
from autoresearch.errors import TerminatedError, TrialError
from autoresearch.judge import judge
from autoresearch.progress import Progress
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import candidate_failures, load
from autoresearch.training import Assignment, answering, compilation, train, warmup_batches

__all__ = ["TrialResult", "TrialSettings", "run_trial"]


def run_trial(settings: TrialSettings, report: Callable[[Progress], None] | None = None) -> TrialResult:
    """Train once and judge.

    Raises:
        RevisionError: The source cannot be imported or does not keep the contract.
        KnobError: A value out of range, or batch sizes that do not divide.
        DataError: The dataset does not fit the settings.
        TrialError: The run diverged, ran out of memory, or failed in the revision's code.
        TerminatedError: SIGTERM.
        KeyboardInterrupt: Ctrl-C.
    """
    with _terminable():  # loading included: it, too, runs code that a dropped signal would pass through
        return _train_and_judge(settings, report)


def _train_and_judge(settings: TrialSettings, report: Callable[[Progress], None] | None) -> TrialResult:
    started = time.monotonic()
    revision = load(settings.source)
    assignment, device = _assignment(settings), settings.device
    rows = settings.dataset.train_rows(settings.context)
    batches = TrainBatches(rows, int(settings.values["device_batch_size"]), settings.seed, device.torch_device)
    with candidate_failures(settings.source, TrialError), compilation(device, settings.compiled):
        trained = train(revision, assignment, batches, _budget(assignment), report)
        judged = time.monotonic()
        score = judge(answering(trained.model, device), settings, device.torch_device)
    finished = time.monotonic()
    return TrialResult(
        val_bpb=score.bpb,
        training_seconds=trained.training_seconds,
        startup_seconds=judged - started - trained.warmup_seconds - trained.training_seconds,
        warmup_seconds=trained.warmup_seconds,
        eval_seconds=finished - judged,
        total_seconds=finished - started,
        peak_memory_bytes=max(trained.peak_memory_bytes, peak_memory(device.torch_device)),
        mfu_percent=trained.mfu_percent,
        tokens=trained.tokens,
        tokens_per_second=trained.tokens_per_second,
        epochs=trained.tokens / (batches.rows * settings.row_tokens),
        steps=trained.steps,
        parameters=trained.parameters,
        eval_tokens=score.tokens,
        seed=settings.seed,
    )


def _budget(assignment: Assignment) -> Budget:
    warmup = warmup_batches(assignment)
    if assignment.steps is not None:
        return StepBudget(assignment.steps, warmup)
    return WallClockBudget(assignment.seconds, warmup)


def _assignment(settings: TrialSettings) -> Assignment:
    return Assignment(
        source=settings.source,
        values=settings.values,
        vocab_size=settings.dataset.vocab_size,
        context=settings.row_tokens,
        device=settings.device,
        seconds=settings.seconds,
        steps=settings.steps,
        seed=settings.seed,
        compiled=settings.compiled,
        warmup_steps=settings.warmup_steps,
        peak_flops=peak_flops(settings.device),
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """End the run where it is when SIGTERM or Ctrl-C arrives, wherever that is.

    Python drops an exception that a signal raises inside a weak reference's callback, and torch's compiler has many of
    those: such a signal is sent again, until it arrives outside.
    """
    if threading.current_thread() is not threading.main_thread():  # no other may handle signals
        yield
        return

    def end(signum: int, frame: Any) -> None:
        raise TerminatedError("terminated")

    def send_soon(signum: int) -> None:  # not now: raised in here it would be dropped once more
        threading.Timer(0.1, _thread.interrupt_main, (signum,)).start()

    def again(dropped: Any) -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            send_soon(signal.SIGINT)
        elif isinstance(dropped.exc_value, TerminatedError):
            send_soon(signal.SIGTERM)
        else:
            hook_before(dropped)

    before, hook_before = signal.signal(signal.SIGTERM, end), sys.unraisablehook
    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = hook_before
        signal.signal(signal.SIGTERM, before)
