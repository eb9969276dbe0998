"""What a trial costs in time on this machine."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from autoresearch.bpb import score_rows
from autoresearch.device import Device
from autoresearch.judge import rows_on
from autoresearch.presets import Preset, retarget
from autoresearch.revision import load, package_source
from autoresearch.training import answering

from .admission import machine_name
from .records import SCORED
from .settings import StudySettings
from .storage.database import Database
from .storage.ledger import Ledger
from .storage.studies import open_study

_HOURS = 8


@dataclass(frozen=True)
class Cost:
    """The seconds of a whole trial, and how they are known."""

    seconds: float
    trials: int  # that they are the median of; 0 for an estimate
    in_words: str


def measured(database: Database, names: Sequence[str], device: Device, preset: Preset) -> Cost | None:
    """By the trials of the newest study of this preset, and its budget, on this machine; None where there is none."""
    for name in reversed(names):
        ledger = Ledger(database, open_study(database, name))
        settings = StudySettings.from_json(ledger.study.settings)
        if (settings.machine, settings.preset, settings.steps) != (machine_name(device), preset.name, None):
            continue
        if settings.seconds != preset.budget_seconds:
            continue
        taken = [trial.result["total_seconds"] for trial in ledger.history() if trial.status in SCORED]
        if taken:
            seconds = statistics.median(taken)
            return Cost(seconds, len(taken), f"{_about(seconds)}: the median of {len(taken)} trials of study {name}")
    return None


def estimate(device: Device, preset: Preset) -> Cost:
    """By the budget, and an evaluation of random tokens by the preset's model, untrained and not compiled."""
    evaluation = _evaluation_seconds(device, preset)
    seconds = preset.budget_seconds + evaluation
    parts = f"{preset.budget_seconds:.0f} s of training and {evaluation:.0f} s of evaluation (a part of it measured, not compiled)"
    return Cost(seconds, 0, f"{_about(seconds)}: {parts}; start-up and compilation come on top, not measured")


def _about(seconds: float) -> str:
    return f"about {seconds:.0f} s a trial, at most {_HOURS * 3600 / seconds:.0f} in {_HOURS} hours"


def _evaluation_seconds(device: Device, preset: Preset) -> float:
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as folder:
        path = Path(folder) / "train.py"
        path.write_text(retarget(package_source(), preset), encoding="utf-8")
        revision = load(path)
    with torch.random.fork_rng():
        model = revision.gpt(revision.hyperparameters(), vocab_size=preset.vocab_size, context=preset.context)
    rows = rows_on(device, preset.context)
    tokens = np.random.default_rng(0).integers(0, preset.vocab_size, (2 * rows, preset.context + 1), dtype=np.uint16)
    lengths = torch.ones(preset.vocab_size, dtype=torch.int32, device=device.torch_device)
    forward = answering(model, device)
    taken = []
    with torch.compiler.set_stance("force_eager"):
        for _ in range(4):  # the first one sets things up, and a busy neighbour slows some down
            started = time.perf_counter()
            score_rows(forward, tokens, lengths, rows)
            taken.append(time.perf_counter() - started)
    return min(taken) * preset.eval_tokens / (2 * rows * preset.context)
