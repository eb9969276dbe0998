"""A supervisor with its warm process, shared by the tests of a file, and tiny trials for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.isolation.limits import Limits
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.presets import PRESETS, retarget
from autoresearch.records import TrialSettings
from autoresearch.revision import load, package_source

TINY = {"depth": 2, "aspect_ratio": 32, "head_dim": 32, "device_batch_size": 4, "total_batch_size": 512}
STEP = "        tokens, targets = batch  # (B, T) int64 each\n"  # the first line of training_step

Edit = Callable[[str], str]


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # tiny models gain nothing by threads
        running = Supervisor(tmp_path_factory.mktemp("cache"), rehearse=False)
    with running:
        yield running


@pytest.fixture
def limited(supervisor: Supervisor) -> Iterator[Callable[..., Supervisor]]:
    """The supervisor with other limits."""

    def limit(**seconds: float) -> Supervisor:
        supervisor.limits = Limits(**seconds)
        return supervisor

    yield limit
    supervisor.limits = Limits()


@pytest.fixture(scope="session")
def tiny_source() -> str:
    return retarget(package_source(), PRESETS["cpu"])


@pytest.fixture
def settings(tmp_path: Path, tiny_dataset: Dataset, tiny_source: str) -> Callable[..., TrialSettings]:
    path = tmp_path / "given.py"
    path.write_text(tiny_source, encoding="utf-8")
    defaults = {name: knob.default for name, knob in load(path).knobs.items()}

    def make(edit: Edit = str, **changes: Any) -> TrialSettings:
        path.write_text(edit(tiny_source), encoding="utf-8")
        given = TrialSettings(
            source=path,
            values=defaults | TINY,
            dataset=tiny_dataset,
            device=dataclasses.replace(detect("cpu"), precision="32-true"),
            seconds=60.0,
            steps=4,
            seed=0,
            eval_tokens=1024,
            compiled=False,
        )
        return dataclasses.replace(given, **changes)

    return make


def in_each_step(code: str) -> Edit:
    """Run a line in `training_step`, before anything else."""

    def edit(source: str) -> str:
        assert source.count(STEP) == 1
        return source.replace(STEP, f"        {code}\n{STEP}")

    return edit


def on_import(code: str) -> Edit:
    """Run lines when the file is imported."""
    return lambda source: f"{source}\n{code}\n"


def replacing(old: str, new: str) -> Edit:
    def edit(source: str) -> str:
        assert source.count(old) == 1
        return source.replace(old, new)

    return edit
