"""What a trial is given and what it comes to: the two records that stand at its border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoresearch.data.dataset import Dataset
from autoresearch.device import Device
from autoresearch.knobs import KnobValue


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
    warmup_steps: int = (
        2  # undone before the clock starts; the second finds what only shows once the optimizer has its state
    )

    @property
    def row_tokens(self) -> int:
        """Tokens that a row lets the model see."""
        return self.context or self.dataset.context


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
    test_bpb: float | None = None  # on the locked test split, where it was asked for
    probe_difference: float | None = None  # nats; the most by which two answers that must agree differed
    probed_in_full: bool = False  # every row was asked with another end, too
