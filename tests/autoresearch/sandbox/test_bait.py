"""Outside of a sandbox each attempt succeeds: else that it failed inside would say nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoresearch.sandbox.attempts import FORBIDDEN
from autoresearch.sandbox.bait import bait_around

LIMITS = {"file size limited", "open files limited"}


@pytest.mark.parametrize("name", sorted(FORBIDDEN.keys() - LIMITS))
def test_it_can_be_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "study" / "sibling").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with bait_around(tmp_path / "study", tmp_path) as bait:
        monkeypatch.setenv(bait.environment, bait.marker)
        FORBIDDEN[name](bait)


def test_nothing_of_it_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "study" / "sibling").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with bait_around(tmp_path / "study", tmp_path) as bait:
        assert bait.home is not None
        assert Path(bait.home).is_relative_to(tmp_path / "home")
    assert not list((tmp_path / "home").iterdir())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with pytest.raises(ProcessLookupError):
        os.kill(bait.victim, 0)
