"""`autoresearch study diff`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Command = Callable[..., Result]
Begin = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("night")


def changed(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_values_and_code_are_compared(study: Command) -> None:
    result = study("diff", "baseline", "best")
    assert result.stdout.splitlines()[:2] == ["--- trial-0/train.py", "+++ trial-6/train.py"]
    assert changed(result.stdout) == [
        "-    matrix_lr: Annotated[float, FloatDistribution(0.005, 0.2, log=True)] = 0.04",
        "+    matrix_lr: Annotated[float, FloatDistribution(0.005, 0.2, log=True)] = 0.0512345",
        '-    activation = "relu"',
        '+    activation = "relu squared"',
    ]


@pytest.mark.skipif(shutil.which("patch") is None, reason="there is no program `patch` here")
def test_the_diff_is_one_that_patch_takes(study: Command, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    study("best", "--write", str(path))
    subprocess.run(["patch", "-s", str(path)], input=study("diff", "best", "8").stdout, text=True, check=True)
    assert 'activation = "gelu"' in path.read_text()


def test_revisions_go_by_their_hash(study: Command) -> None:
    rows = json.loads(study("trials", "-f", "json").stdout)
    first, second = rows[0]["revision"], rows[6]["revision"]
    result = study("diff", first[:4], second.upper())
    assert result.stdout.splitlines()[:2] == [f"--- {first}/train.py", f"+++ {second}/train.py"]
    assert changed(result.stdout) == ['-    activation = "relu"', '+    activation = "relu squared"']


def test_the_same_defaults_written_otherwise_are_no_difference(study: Command) -> None:
    first = json.loads(study("trials", "-f", "json").stdout)[0]["revision"]
    result = study("diff", first, "baseline")  # the text has 2**3 where the trial has 8
    assert (result.stdout, result.exit_code) == ("", 0)
    assert result.stderr == f"{first}/train.py and trial-0/train.py are the same\n"


@pytest.mark.slow
def test_a_terminal_gets_colours(on_a_terminal: Callable[..., list[str]]) -> None:
    lines = on_a_terminal("diff", "3", "6")
    assert lines[0] == "\x1b[1m--- trial-3/train.py\x1b[0m"
    assert '\x1b[31m-    activation = "relu"\x1b[0m' in lines
    assert '\x1b[32m+    activation = "relu squared"\x1b[0m' in lines


@pytest.mark.parametrize("name", ["99", "nothing", "b79", "0000"])
def test_what_there_is_not(refusal: Callable[..., str], name: str) -> None:
    assert refusal("diff", "0", name) == (
        f"there is no trial or revision {name!r} in study 'night': expected a number from 0 to 14, best or baseline, "
        "or at least 4 digits of a revision's hash"
    )
