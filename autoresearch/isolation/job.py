"""The description of a job: everything that a candidate is told, and no more.

`describe_*` run on the trusted side and are the one place that decides what crosses over. Not in it: the validation
rows, their labels, the bytes of a token, the test split. (The training rows are files that the candidate maps itself.)
"""

from __future__ import annotations

import dataclasses
from typing import Any

from autoresearch.judge import rows_at_a_time
from autoresearch.records import TrialSettings

from .slate import SlateShape

SOURCE = "train.py"  # of a job, in its folder
LOG = "log.txt"  # what it prints
SCRATCH = "tmp"  # its TMPDIR, gone when it ends


def describe_inspection() -> dict[str, Any]:
    """Ask for the knobs of the revision in the folder."""
    return {"job": "inspect"}


def describe_trial(settings: TrialSettings, peak_flops: float | None) -> dict[str, Any]:
    """Ask for a training run of the revision in the folder."""
    dataset = settings.dataset
    return {
        "job": "train",
        "values": dict(settings.values),
        "vocab_size": dataset.vocab_size,
        "context": settings.row_tokens,
        "device": dataclasses.asdict(settings.device),
        "seconds": settings.seconds,
        "steps": settings.steps,
        "seed": settings.seed,
        "compiled": settings.compiled,
        "peak_flops": peak_flops,
        "row_tokens": dataset.context,
        "shards": [[str(path), rows] for path, rows in dataset.train_files()],
        "rows_at_a_time": rows_at_a_time(settings),
    }


def slate_shape(settings: TrialSettings) -> SlateShape:
    """Room for one batch of the evaluation."""
    return SlateShape(rows_at_a_time(settings), settings.row_tokens, settings.dataset.vocab_size)
