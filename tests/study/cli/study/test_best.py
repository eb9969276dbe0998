"""`autoresearch study best`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from autoresearch.revision import load

Command = Callable[..., Result]
Begin = Callable[..., Any]


@pytest.mark.usefixtures("night")
def test_it_shows_the_incumbent_and_what_may_be_claimed(study: Command) -> None:
    lines = study("best").stdout.splitlines()
    assert lines[0] == "best        trial 6: square the activation"
    assert "gain        +0.060000 over the baseline on the same seed" in lines
    assert "verdict     real: it holds on fresh seeds, on both splits (paired t-test, 95 %)" in lines
    assert "  depth              2" in lines
    assert "  matrix_lr          0.05123         the baseline has 0.04" in lines


@pytest.mark.usefixtures("night")
def test_for_programs(study: Command) -> None:
    record = json.loads(study("best", "-f", "json").stdout)
    assert (record["trial"], record["val_bpb"], record["verdict"]) == (6, 1.35, "real")
    assert record["values"]["matrix_lr"] == 0.0512345
    assert "values.matrix_lr\t0.0512345\n" in study("best", "-f", "value").stdout


@pytest.mark.usefixtures("night")
def test_the_written_file_has_the_code_and_the_values_that_won(study: Command, tmp_path: Path) -> None:
    path = tmp_path / "best.py"
    result = study("best", "--write", str(path))
    command = f"autoresearch train --source {path} --budget 60 --data builtin-v2048-c256 --seed 0"
    assert result.stderr == f"written  {path}; run it with {command}\n"
    revision = load(path)
    assert {name: knob.default for name, knob in revision.knobs.items()} == {
        "depth": 2,
        "matrix_lr": 0.0512345,
        "device_batch_size": 8,
        "total_batch_size": 2048,
    }
    assert revision.gpt.activation == "relu squared"


@pytest.mark.usefixtures("night")
def test_a_file_that_exists_is_not_written_over(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "best.py"
    path.write_text("mine")
    expected = f"cannot write {path}: File exists; expected a new file in a folder that exists"
    assert refusal("best", "--write", str(path)) == expected
    assert path.read_text() == "mine"


def test_before_the_first_score_there_is_no_best(begin: Begin, refusal: Callable[..., str]) -> None:
    begin()
    assert refusal("best") == "study 'night' has no best trial yet: no baseline run has a score"


def test_where_nothing_beat_the_baseline_it_is_the_baseline(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    lines = study("best").stdout.splitlines()
    assert lines[0] == "best        trial 0: the baseline"
    assert not any("gain" in line for line in lines)
