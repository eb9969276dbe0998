"""The candidate's half of a trial: build what a revision declares, train it for the budget, answer tokens with logits.

Nothing in here knows a label of the validation split. It runs in the same process as the judge (`trial.py`) or, where
the revision is not to be trusted, in one of its own (`isolation/`).
"""

from __future__ import annotations

import gc
import logging
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from autoresearch.bpb import expect_shape
from autoresearch.callbacks import Budget, DivergenceGuard, Throughput, undo_training
from autoresearch.data.loader import Batch
from autoresearch.device import Device
from autoresearch.errors import Diverged, KnobError
from autoresearch.knobs import KnobValue, batches_a_step, check
from autoresearch.progress import Progress
from autoresearch.report_progress import ReportProgress
from autoresearch.revision import Revision


@dataclass(frozen=True)
class Assignment:
    """What a candidate is told about its trial, apart from the training rows."""

    source: Path  # a train.py
    values: Mapping[str, KnobValue]  # of every knob
    vocab_size: int
    context: int
    device: Device
    seconds: float
    steps: int | None
    seed: int
    compiled: bool
    warmup_steps: int
    peak_flops: float | None = None  # of the device, for MFU; None: it is not wanted


@dataclass(frozen=True)
class Trained:
    """A model after its budget, and what was counted on the way."""

    model: LightningModule
    training_seconds: float
    warmup_seconds: float
    tokens: int
    tokens_per_second: float
    mfu_percent: float | None
    steps: int
    parameters: int
    peak_memory_bytes: int


def train(
    revision: Revision,
    assignment: Assignment,
    batches: Iterable[Batch],
    budget: Budget,
    report: Callable[[Progress], None] | None = None,
    watchers: Sequence[Callback] = (),
) -> Trained:
    """Build and train; call it inside `candidate_failures` and `compilation`.

    Args:
        revision: From `assignment.source`.
        assignment: All but the data.
        batches: `(tokens, targets)` of the training split, each `(B, T)` int64 on the device.
        budget: Ends the training, or knows when the batches end.
        report: Is told how far the training is.
        watchers: More callbacks, behind our own.

    Raises:
        KnobError: A value out of range, or batch sizes that do not divide.
        Diverged: The loss is beyond hope.
        TrialError: The model's logits have another shape than they should.
    """
    accumulate = _accumulation(revision, assignment)
    seed_everything(assignment.seed, verbose=False)
    hyperparameters = revision.hyperparameters(**assignment.values)
    model = revision.gpt(hyperparameters, vocab_size=assignment.vocab_size, context=assignment.context)
    _check_logits(model, assignment)
    meter = _throughput(model, assignment)
    reporters = [ReportProgress(report, budget, meter)] if report is not None else []
    _fit(model, batches, accumulate, assignment.device, budget, [meter, *watchers, *reporters])
    return Trained(
        model=model,
        training_seconds=budget.elapsed,
        warmup_seconds=budget.warmup_seconds,
        tokens=meter.tokens,
        tokens_per_second=meter.tokens_per_second,
        mfu_percent=meter.mfu_percent,
        steps=budget.steps,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        peak_memory_bytes=meter.peak_memory_bytes,
    )


def answering(model: LightningModule, device: Device) -> Callable[[Tensor], Tensor]:
    """The trained model as the judge knows it: a function from tokens `(B, T)` int64 to logits `(B, T, V)`."""
    model.to(device.torch_device).eval()  # Lightning moves a model back to the host after a fit
    model.budget_fraction = 1.0  # type: ignore[assignment]  # a module need not declare it
    mixed = device.precision == "bf16-mixed"

    def forward(tokens: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(device.kind, dtype=torch.bfloat16, enabled=mixed):
            logits: Tensor = model(tokens)
        return logits

    return forward


@contextmanager
def compilation(device: Device, wanted: bool) -> Iterator[None]:
    """Let `torch.compile` do nothing where it is not wanted or cannot work."""
    if device.kind == "cuda":
        torch.set_float32_matmul_precision("high")
    with torch.compiler.set_stance("default" if wanted else "force_eager"):
        yield


def _accumulation(revision: Revision, assignment: Assignment) -> int:
    """How many batches of the device make one optimizer step, once all values have been found to be in their ranges."""
    values = assignment.values
    if values.keys() != revision.knobs.keys():
        difference = ", ".join(sorted(values.keys() ^ revision.knobs.keys()))
        raise KnobError(
            f"the values and the knobs of {assignment.source.name} differ in {difference}: give one value each"
        )
    for name, value in values.items():
        check(revision.knobs[name], value)
    return batches_a_step(values, assignment.context)


def _check_logits(model: LightningModule, assignment: Assignment) -> None:
    """One row through the plain model: a compiled kernel that indexes wrong logits would abort the whole process."""
    with undo_training(model, []), torch.no_grad():
        logits = model(torch.zeros(1, assignment.context, dtype=torch.int64))
    expect_shape(logits.shape, (1, assignment.context, assignment.vocab_size))


def _throughput(model: LightningModule, assignment: Assignment) -> Throughput:
    flops: Callable[[], float] | None = getattr(model, "flops_per_token", None)
    if flops is None:  # an edit need not keep it; then MFU is unknown
        return Throughput()
    return Throughput(flops_per_token=flops(), peak_flops=assignment.peak_flops)


def warmup_batches(assignment: Assignment) -> list[Batch]:
    """Random tokens in the shape of a batch: a warm-up on them could not train even if it were not undone."""
    generator = torch.Generator().manual_seed(assignment.seed)
    shape = (int(assignment.values["device_batch_size"]), assignment.context)
    tokens = [
        torch.randint(assignment.vocab_size, shape, generator=generator) for _ in range(2 * assignment.warmup_steps)
    ]
    return list(zip(tokens[::2], tokens[1::2], strict=True))


def _fit(
    model: LightningModule,
    batches: Iterable[Batch],
    accumulate: int,
    device: Device,
    budget: Budget,
    watchers: Sequence[Callback],
) -> None:
    guard = DivergenceGuard()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no advertisements between our lines
    trainer = Trainer(
        accelerator=device.kind if device.kind != "cuda" else "gpu",
        devices=1,
        precision=device.precision,
        max_epochs=-1,  # the budget ends it
        accumulate_grad_batches=accumulate,
        callbacks=[budget, guard, *watchers],
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
        raise Diverged(f"the run diverged: {guard.reason}; lower learning rates diverge later, or never")


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
