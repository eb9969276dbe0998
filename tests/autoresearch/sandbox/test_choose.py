"""The sandbox is chosen by what it was seen to hold, with torch and all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from seccompy import Filter

from autoresearch.isolation.environment import clean_environment
from autoresearch.sandbox.bubblewrap import Bubblewrap
from autoresearch.sandbox.choose import DISPENSABLE, choose, try_rung
from autoresearch.sandbox.enclosure import Enclosure
from autoresearch.sandbox.grants import Grants
from autoresearch.sandbox.landlock import LandlockRung
from autoresearch.sandbox.resources import Resources
from autoresearch.sandbox.rung import Rung

_CREATE_RULESET = 444
_CHOOSE = """
import json, sys
from pathlib import Path
from autoresearch.errors import SandboxError
from autoresearch.isolation.environment import clean_environment
from autoresearch.sandbox.choose import choose
try:
    chosen = choose(Path(sys.argv[1]), "cpu", clean_environment)
    print(json.dumps([chosen.rung.name, dict(chosen.held)]))
except SandboxError as error:
    print(json.dumps(str(error)))
"""


class Leaky:
    """A rung that does nothing but clean the environment and count bytes."""

    name = "leaky"

    def obstacle(self) -> str | None:
        return None

    def command(self, command: Sequence[str], grants: Grants) -> list[str]:
        return list(command)

    def enclosure(self, grants: Grants, resources: Resources) -> Enclosure:
        everything = replace(grants, readable=(Path("/"),), writable=(Path("/"),))
        return Enclosure.of(everything, resources, landlock=False, private=True)


@pytest.mark.slow
def test_a_rung_holds_with_all_that_it_is_for(rung: Rung, tmp_path: Path) -> None:
    result = try_rung(rung, tmp_path, "cpu", clean_environment)
    assert (result.shortcomings, result.holds) == ([], True)
    assert set(result.failed.values()) == {None}
    assert all(held for name, held in result.held.items() if name not in DISPENSABLE)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_rung_that_leaks_is_seen_to(tmp_path: Path) -> None:
    result = try_rung(Leaky(), tmp_path, "cpu", clean_environment)
    assert not result.holds
    lost = {name for name, held in result.held.items() if not held}
    assert {"home not read", "other folders not read", "other folders not written", "other processes not read"} <= lost
    assert "does not hold: " in result.shortcomings[0]


def without_landlock(command: list[str], environment: dict[str, str]) -> str:
    """The output of a command under a kernel that says it has no Landlock."""

    def refuse() -> None:
        filtered = Filter()
        filtered.errno(_CREATE_RULESET, errno.ENOSYS)
        filtered.load()

    return subprocess.run(
        command, env=environment, preexec_fn=refuse, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


@pytest.mark.slow
def test_bubblewrap_alone_holds_all_but_the_line_between_trials(tmp_path: Path) -> None:
    if Bubblewrap().obstacle() is not None:
        pytest.skip("bubblewrap is not installed")
    name, held = json.loads(without_landlock([sys.executable, "-c", _CHOOSE, str(tmp_path)], dict(os.environ)))
    assert name == "bubblewrap + seccomp"
    assert {what for what, holds in held.items() if not holds} == DISPENSABLE


def test_with_neither_edits_are_refused_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path)}
    said = json.loads(without_landlock([sys.executable, "-c", _CHOOSE, str(tmp_path)], environment))
    assert "bubblewrap is not installed" in said
    assert "the kernel has no Landlock" in said
    assert said.endswith("install bubblewrap, or give --unsafe and read what it gives up")
    assert "\n" not in said


@pytest.mark.slow
def test_without_bubblewrap_landlock_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if LandlockRung().obstacle() is not None:
        pytest.skip("the kernel has no Landlock")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose(tmp_path, "cpu", clean_environment).rung.name == "Landlock + seccomp"
