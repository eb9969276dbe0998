"""Knobs of every kind, and histories of trials on them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from autoresearch.knobs import Knob, KnobValue


@pytest.fixture(scope="session")
def knobs() -> dict[str, Knob]:
    declared = (
        Knob("matrix_lr", float, 0.04, Float(0.005, 0.2, log=True)),
        Knob("weight_decay", float, 0.2, Float(0.0, 0.5)),
        Knob("depth", int, 8, Int(4, 24)),
        Knob("momentum_warmup_steps", int, 300, Int(1, 1000, log=True)),
        Knob("short_window", float, 0.5, Choice((0.5, 0.25, 0.125, 0.0625))),
        Knob("device_batch_size", int, 128, Choice((32, 64, 128, 256))),
        Knob("total_batch_size", int, 2**19, Choice((2**16, 2**17, 2**18, 2**19, 2**20, 2**21))),
        Knob("window_pattern", str, "SSSL", Choice(("SSSL", "SLSL", "LLLL"))),
    )
    return {knob.name: knob for knob in declared}


@pytest.fixture(scope="session")
def defaults(knobs: Mapping[str, Knob]) -> dict[str, KnobValue]:
    return {name: knob.default for name, knob in knobs.items()}
