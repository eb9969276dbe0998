"""One trial: build a revision, train it for the budget, judge it by val_bpb."""

from __future__ import annotations

import _thread
import gc
import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything

from autoresearch.bpb import Score, score_rows
from autoresearch.callbacks import (
    Budget,
    DivergenceGuard,
    StepBudget,
    Throughput,
    WallClockBudget,
    peak_memory,
    undo_training,
)
from autoresearch.data.dataset import Dataset
from autoresearch.data.loader import TrainBatches
from autoresearch.device import Device, peak_flops
from autoresearch.errors import KnobError, TerminatedError, TrialError
from autoresearch.knobs import KnobValue, check
from autoresearch.progress import Progress, ReportProgress
from autoresearch.revision import Revision, candidate_failures, load

# Two steps: the second finds what only shows once the optimizer has its state.
_WARMUP_STEPS = 2
# Tokens judged at a time, whatever the trial's own batch: enough to keep a GPU busy with 2 GiB of float32 logits at a
# vocabulary of 8,192; few enough to stay near a CPU's caches.
_EVAL_TOKENS_ON_GPU, _EVAL_TOKENS_ON_CPU = 2**16, 2**11


@dataclass(frozen=True)
class TrialSettings:
    """All that decides a trial. Either `seconds` or `steps` is its budget: `steps` where it is given."""

    source: Path  # a train.py
    values: Mapping[str, KnobValue]  # of every knob
    dataset: Dataset
    device: Device
    seconds: float
    seed: int
    eval_tokens: int  # of the validation split, at most
    steps: int | None = None  # optimizer steps
    context: int | None = None  # tokens a row; the dataset's own when None
    compiled: bool = True


@dataclass(frozen=True)
class TrialResult:
    """What a trial came to."""

    val_bpb: float
    training_seconds: float  # inside the budget
    startup_seconds: float  # loading and building; all that is in no other part
    warmup_seconds: float  # compilation, mostly
    eval_seconds: float
    total_seconds: float
    peak_memory_bytes: int  # of the GPU, evaluation included; on a CPU of the process
    mfu_percent: float | None
    tokens: int  # trained on
    tokens_per_second: float
    epochs: float  # of the training split
    steps: int  # optimizer steps
    parameters: int
    eval_tokens: int  # that val_bpb is an average over
    seed: int


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
    shards = settings.dataset.train_rows(settings.context)
    accumulate = _accumulation(revision, settings)
    seed_everything(settings.seed, verbose=False)
    with candidate_failures(settings.source, TrialError), _compilation(settings):
        context = settings.context or settings.dataset.context
        hyperparameters = revision.hyperparameters(**settings.values)
        model = revision.gpt(hyperparameters, vocab_size=settings.dataset.vocab_size, context=context)
        _check_logits(model, context, settings.dataset.vocab_size)
        batches = TrainBatches(
            shards, int(settings.values["device_batch_size"]), settings.seed, settings.device.torch_device
        )
        meter = _throughput(model, settings.device)
        budget = _budget(settings)
        _fit(model, batches, accumulate, settings.device, budget, meter, report)
        judged = time.monotonic()
        score = _judge(model, settings)
    finished = time.monotonic()
    return TrialResult(
        val_bpb=score.bpb,
        training_seconds=budget.elapsed,
        startup_seconds=judged - started - budget.warmup_seconds - budget.elapsed,
        warmup_seconds=budget.warmup_seconds,
        eval_seconds=finished - judged,
        total_seconds=finished - started,
        peak_memory_bytes=max(meter.peak_memory_bytes, peak_memory(settings.device.torch_device)),
        mfu_percent=meter.mfu_percent,
        tokens=meter.tokens,
        tokens_per_second=meter.tokens_per_second,
        epochs=meter.tokens / (batches.rows * context),
        steps=budget.steps,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        eval_tokens=score.tokens,
        seed=settings.seed,
    )


def _accumulation(revision: Revision, settings: TrialSettings) -> int:
    """How many batches of the device make one optimizer step."""
    if settings.values.keys() != revision.knobs.keys():
        difference = ", ".join(sorted(settings.values.keys() ^ revision.knobs.keys()))
        raise KnobError(
            f"the values and the knobs of {settings.source.name} differ in {difference}: give one value each"
        )
    for name, value in settings.values.items():
        check(revision.knobs[name], value)
    context = settings.context or settings.dataset.context
    rows, tokens = int(settings.values["device_batch_size"]), int(settings.values["total_batch_size"])
    if tokens % (rows * context):
        raise KnobError(
            f"total_batch_size {tokens} is no multiple of device_batch_size x context = {rows} x {context} = "
            f"{rows * context}; change one of the two knobs"
        )
    return tokens // (rows * context)


def _check_logits(model: LightningModule, context: int, vocab_size: int) -> None:
    """One row through the plain model: a compiled kernel that indexes wrong logits would abort the whole process."""
    with undo_training(model, []), torch.no_grad():
        logits = model(torch.zeros(1, context, dtype=torch.int64))
    if tuple(logits.shape) != (1, context, vocab_size):
        raise TrialError(f"logits have shape {tuple(logits.shape)}, expected {(1, context, vocab_size)}")


def _throughput(model: LightningModule, device: Device) -> Throughput:
    flops: Callable[[], float] | None = getattr(model, "flops_per_token", None)
    if flops is None:  # an edit need not keep it; then MFU is unknown
        return Throughput()
    return Throughput(flops_per_token=flops(), peak_flops=peak_flops(device))


def _budget(settings: TrialSettings) -> Budget:
    generator = torch.Generator().manual_seed(settings.seed)
    context = settings.context or settings.dataset.context
    shape = (int(settings.values["device_batch_size"]), context)
    # Random tokens: a warm-up on them could not train even if it were not undone.
    warmup = [
        tuple(torch.randint(settings.dataset.vocab_size, shape, generator=generator) for _ in ("tokens", "targets"))
        for _ in range(_WARMUP_STEPS)
    ]
    if settings.steps is not None:
        return StepBudget(settings.steps, warmup)
    return WallClockBudget(settings.seconds, warmup)


def _fit(
    model: LightningModule,
    batches: TrainBatches,
    accumulate: int,
    device: Device,
    budget: Budget,
    meter: Throughput,
    report: Callable[[Progress], None] | None,
) -> None:
    guard = DivergenceGuard()
    watchers = [ReportProgress(report, budget, meter)] if report is not None else []
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no advertisements between our lines
    trainer = Trainer(
        accelerator=device.kind if device.kind != "cuda" else "gpu",
        devices=1,
        precision=device.precision,
        max_epochs=-1,  # the budget ends it
        accumulate_grad_batches=accumulate,
        callbacks=[budget, meter, guard, *watchers],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with _garbage_frozen(), _interruptible(), warnings.catch_warnings():
        # Lightning 2.6 calls what torch 2.13 deprecates; nobody who watches a trial can do anything about it.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        # A CPU asked for on a machine with a GPU is meant so.
        warnings.filterwarnings("ignore", "(GPU|MPS) available but not used")
        trainer.fit(model, batches)
    if guard.reason is not None:
        raise TrialError(f"the run diverged: {guard.reason}; lower learning rates diverge later, or never")


def _judge(model: LightningModule, settings: TrialSettings) -> Score:
    device = settings.device
    model.to(device.torch_device).eval()  # Lightning moves a model back to the host after a fit
    context = settings.context or settings.dataset.context
    rows = settings.dataset.val_rows(settings.context)[: max(1, settings.eval_tokens // context)]
    token_bytes = torch.from_numpy(settings.dataset.token_bytes.copy()).to(device.torch_device)
    at_a_time = _EVAL_TOKENS_ON_CPU if device.kind == "cpu" else _EVAL_TOKENS_ON_GPU
    mixed = device.precision == "bf16-mixed"
    with torch.autocast(device.kind, dtype=torch.bfloat16, enabled=mixed):
        return score_rows(model, rows, token_bytes, batch_size=max(1, at_a_time // context))


@contextmanager
def _compilation(settings: TrialSettings) -> Iterator[None]:
    """Let `torch.compile` do nothing where it is not wanted or cannot work."""
    if settings.device.kind == "cuda":
        torch.set_float32_matmul_precision("high")
    with torch.compiler.set_stance("default" if settings.compiled else "force_eager"):
        yield


@contextmanager
def _garbage_frozen() -> Iterator[None]:
    """Keep Python's garbage collector out of the training loop: its stalls reach half a second."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


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


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Lightning's way of ending on Ctrl-C (exit code 1, further Ctrl-C ignored) back into Python's own."""
    handler: Any = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise
