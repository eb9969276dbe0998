"""What a terminal is sent during a night: a real one, as far as the program can tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
_HIDES_CURSOR = "\x1b[?25l"


def on_a_terminal(*arguments: str) -> str:
    """All that `autoresearch` writes to it."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-W", "ignore", "-m", "autoresearch.study.cli", *arguments]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            some = os.read(ours, 2**16)
        except OSError:  # how Linux says that nobody has the other end any more
            break
        if not some:
            break
        written += some
    os.close(ours)
    assert process.wait(60) == 0, written.decode()
    return written.decode()


def test_only_one_display_redraws_itself(sqlite_study: str, home: Path) -> None:
    plan = ["--trials", "2", "--baseline-repeats", "2", "--confirm", "0", "--editor", "none"]
    written = on_a_terminal("study", "optimize", "--storage", sqlite_study, *plan)
    assert "1 to go" in written  # where the study stands, below the trial in flight
    assert written.count(_HIDES_CURSOR) == 1  # by each display that begins; two erase each other's lines
