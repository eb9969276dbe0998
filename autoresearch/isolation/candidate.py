"""The untrusted side: one job in a process of its own, from its description to the last answer.

The supervisor believes nothing that comes from here; this file is only polite.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch import LightningModule, seed_everything
from optuna.distributions import distribution_to_json
from torch import Tensor

from autoresearch.callbacks import peak_memory
from autoresearch.device import Device
from autoresearch.errors import AutoresearchError, TrialError
from autoresearch.progress import Progress
from autoresearch.revision import candidate_failures, load
from autoresearch.sandbox.enclosure import Enclosure
from autoresearch.training import Assignment, answering, compilation, train, warmup_batches

from .channel import Channel
from .confinement import confine
from .handed import HandedBatches, HandedBudget
from .job import SOURCE
from .messages import MAX_TAIL, one_line
from .slate import Slate, SlateShape
from .tape import Tape, TapeShape
from .weights import TensorEntry, read_weights, write_weights

_LONGEST_JOB = 2**24  # it lists each tensor of the weights


def run_job(
    folder: Path, channel: int, log: int, memory: Sequence[int], compiles: bool, enclosure: Enclosure | None
) -> NoReturn:
    """Do one job and end the process.

    Args:
        folder: Where it works.
        channel: A file descriptor, now this process's own, as are the next two.
        log: What it prints.
        memory: What it shares with the supervisor.
        compiles: Whether it may compile with several processes.
        enclosure: The sandbox.
    """
    try:
        confine(folder, log, compiles, enclosure)
        link = Link(Channel(socket.socket(fileno=channel), longest=_LONGEST_JOB))
        link.send("enclosed")
        _converse(link, folder / SOURCE, memory)
        while True:  # to be ended by the supervisor, who then finds everything that this process has started below it
            link.receive()
    except BaseException:  # noqa: BLE001 -- even what a revision throws past everything ends this process and no other
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # no clean-up of what the process before the fork had set up


class Link:
    """The candidate's end of the channel. Its process group ends with it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="autoresearch-link", daemon=True).start()

    def send(self, kind: str, **fields: Any) -> None:
        """Say something to the supervisor."""
        self._channel.send({"kind": kind, **fields})

    def receive(self) -> dict[str, Any]:
        """Wait for the supervisor's next message."""
        return self._messages.get()

    def _read(self) -> None:
        # All the time, so that the end of the supervisor is noticed in the middle of training, too.
        while True:
            try:
                self._messages.put(self._channel.receive())
            except (EOFError, OSError):
                os.killpg(0, signal.SIGKILL)


def _converse(link: Link, source: Path, memory: Sequence[int]) -> None:
    job = link.receive()
    try:
        if job["job"] == "inspect":
            link.send("knobs", knobs=_knobs(source))
        elif job["job"] == "train":
            with candidate_failures(source, TrialError):
                _train(link, job, source, *memory)
        else:
            with candidate_failures(source, TrialError):
                _answer(link, job, source, *memory)
    except AutoresearchError as error:
        cause = error.__cause__ or error
        tail = "".join(traceback.format_exception(cause))[-MAX_TAIL:]
        link.send("failed", error=type(error).__name__, message=one_line(str(error)), tail=tail)


def _knobs(source: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": knob.name,
            "type": knob.kind.__name__,
            "default": knob.default,
            "distribution": distribution_to_json(knob.distribution),
        }
        for knob in load(source).knobs.values()
    ]


def _train(link: Link, job: dict[str, Any], source: Path, tape: int, weights: int) -> None:
    revision, assignment = load(source), _assignment(job, source)
    shape = TapeShape(int(assignment.values["device_batch_size"]), assignment.context + 1)
    batches = HandedBatches(link, Tape(tape, shape, writable=False), assignment.device.torch_device)
    warmup, steps = warmup_batches(assignment), assignment.steps
    budget = HandedBudget(batches, assignment.seconds, steps, warmup, time.monotonic)
    with compilation(assignment.device, assignment.compiled):
        trained = train(revision, assignment, batches, budget, _reporter(link))
    entries = write_weights(weights, job["room"], trained.model.state_dict())
    link.send(
        "trained",
        warmup_seconds=trained.warmup_seconds,
        tokens_per_second=trained.tokens_per_second,
        mfu_percent=trained.mfu_percent,
        parameters=trained.parameters,
        peak_memory_bytes=max(trained.peak_memory_bytes, peak_memory(assignment.device.torch_device)),
        weights=[[entry.name, entry.dtype, entry.shape] for entry in entries],
    )


def _answer(link: Link, job: dict[str, Any], source: Path, slate: int, weights: int) -> None:
    revision, assignment = load(source), _assignment(job, source)
    device = assignment.device
    seed_everything(assignment.seed, verbose=False)
    with compilation(device, assignment.compiled):
        hyperparameters = revision.hyperparameters(**assignment.values)
        model = revision.gpt(hyperparameters, vocab_size=assignment.vocab_size, context=assignment.context)
        entries = tuple(TensorEntry(name, dtype, tuple(shape)) for name, dtype, shape in job["weights"])
        _fill(model, read_weights(weights, entries))
        link.send("ready")
        shape = SlateShape(job["rows_at_a_time"], assignment.context, assignment.vocab_size)
        _answer_all(link, Slate(slate, shape), answering(model, device), device)
    link.send("finished", peak_memory_bytes=peak_memory(device.torch_device))


def _fill(model: LightningModule, state: dict[str, Tensor]) -> None:
    """Give a model that was built anew the weights of the trained one."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:  # the first of its lines says nothing
        _, _, what = " ".join(str(error).split()).partition(": ")
        raise TrialError(
            "the trained weights do not fit the model as it is built anew (register parameters and buffers in __init__, "
            f"and do not change them later): {what}"
        ) from error


def _answer_all(link: Link, slate: Slate, forward: Callable[[Tensor], Tensor], device: Device) -> None:
    """Turn tokens into logits until the supervisor has no more of them."""
    gc.freeze()  # a full collection would take half a second, and copy what is shared with the warm process
    while (request := link.receive())["ask"] == "logits":
        tokens = slate.read_tokens(request["rows"]).to(device.torch_device)
        logits = forward(tokens)
        expected = (*tokens.shape, slate.shape.vocab_size)
        fits = tuple(logits.shape) == expected
        link.send("logits", shape=list(logits.shape), dtype=slate.write_logits(logits) if fits else "float32")


def _assignment(job: dict[str, Any], source: Path) -> Assignment:
    names = {field.name for field in dataclasses.fields(Assignment)} - {"source", "device"}
    return Assignment(source=source, device=Device(**job["device"]), **{name: job[name] for name in names})


def _reporter(link: Link) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if math.isfinite(progress.loss):  # where it is not, the run is about to end with that reason
            link.send("progress", **dataclasses.asdict(progress))

    return report
