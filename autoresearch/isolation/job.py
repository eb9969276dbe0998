"""The description of a job: everything that a candidate is told, and no more.

`describe_*` run on the trusted side and are the one place that decides what crosses over. Not in it: the validation
rows, their labels, the bytes of a token, the test split; where the training rows lie, and in which order they come.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from autoresearch.judge import rows_at_a_time
from autoresearch.records import TrialSettings

from .slate import SlateShape
from .tape import TapeShape
from .weights import TensorEntry

SOURCE = "train.py"  # of a job, in its folder
LOG = "log.txt"  # what it prints
SCRATCH = "tmp"  # its TMPDIR, gone when it ends
WEIGHTS_ROOM = 2**36  # bytes that a model's state may take; what is not written to takes no memory


def describe_inspection() -> dict[str, Any]:
    """Ask for the knobs of the revision in the folder."""
    return {"job": "inspect"}


def describe_trial(settings: TrialSettings, peak_flops: float | None) -> dict[str, Any]:
    """Ask for a training run of the revision in the folder."""
    return {"job": "train", **_assignment(settings), "peak_flops": peak_flops, "room": WEIGHTS_ROOM}


def describe_answers(settings: TrialSettings, weights: Sequence[TensorEntry]) -> dict[str, Any]:
    """Ask for the answers of the model that the revision in the folder builds, with these weights."""
    entries = [[entry.name, entry.dtype, list(entry.shape)] for entry in weights]
    rows = rows_at_a_time(settings)
    return {"job": "answer", **_assignment(settings), "peak_flops": None, "weights": entries, "rows_at_a_time": rows}


def _assignment(settings: TrialSettings) -> dict[str, Any]:
    return {
        "values": dict(settings.values),
        "vocab_size": settings.dataset.vocab_size,
        "context": settings.row_tokens,
        "device": dataclasses.asdict(settings.device),
        "seconds": settings.seconds,
        "steps": settings.steps,
        "seed": settings.seed,
        "compiled": settings.compiled,
        "warmup_steps": settings.warmup_steps,
    }


def tape_shape(settings: TrialSettings) -> TapeShape:
    """Room for the training batches."""
    return TapeShape(int(settings.values["device_batch_size"]), settings.row_tokens + 1)


def slate_shape(settings: TrialSettings) -> SlateShape:
    """Room for one batch of the evaluation."""
    return SlateShape(rows_at_a_time(settings), settings.row_tokens, settings.dataset.vocab_size)
