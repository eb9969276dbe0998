"""What a terminal is sent during a night."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoresearch.study.model.access import KEY_VARIABLES

from ..terminal import on_a_terminal

pytestmark = pytest.mark.slow
_HIDES_CURSOR = "\x1b[?25l"


def test_only_one_display_redraws_itself(sqlite_study: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    plan = ["--trials", "2", "--baseline-repeats", "2", "--confirm", "0"]
    written = on_a_terminal("study", "optimize", "--storage", sqlite_study, *plan, columns=120, errors_too=True)
    assert "no ANTHROPIC_API_KEY in the environment, so no edits" in written
    assert "1 to go" in written  # where the study stands, below the trial in flight
    assert written.count(_HIDES_CURSOR) == 1  # by each display that begins; two erase each other's lines
