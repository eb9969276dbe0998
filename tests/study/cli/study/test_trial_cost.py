"""What a trial costs on this machine, by those that ran on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from autoresearch.device import Device
from autoresearch.presets import PRESETS
from autoresearch.study.storage.database import Database
from autoresearch.study.trial_cost import Cost, measured

from .conftest import SETTINGS

MACHINE = Device("cuda", SETTINGS.machine, 2**34, "bf16-mixed")


def cost(storage: str, device: Device, budget: float = SETTINGS.seconds) -> Cost | None:
    with Database.open(storage, create=False) as database:
        return measured(database, ["night"], device, replace(PRESETS["cpu"], budget_seconds=budget))


def test_it_is_the_median_of_the_trials_that_were_scored(night: Path, storage: str) -> None:
    found = cost(storage, MACHINE)
    assert found is not None
    assert (found.seconds, found.trials) == (70.0, 11)
    assert found.in_words == "about 70 s a trial, at most 411 in 8 hours: the median of 11 trials of study night"


def test_trials_of_another_machine_or_budget_say_nothing(night: Path, storage: str) -> None:
    assert cost(storage, replace(MACHINE, name="another machine")) is None
    assert cost(storage, MACHINE, budget=300.0) is None
