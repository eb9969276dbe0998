"""Several workers on one study: no lost update, no double promotion, every trial counted once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from autoresearch.study.records import SEARCH_KINDS, Kind
from autoresearch.study.storage.ledger import Ledger

Run = Callable[..., subprocess.CompletedProcess[str]]


def optimize(storage: str, autoresearch: Run, binding: list[str], edits: str, workers: int, trials: int) -> str:
    plan = ["--workers", str(workers), "--trials", str(trials), "--editor", edits, "--edit-ratio", "0.3"]
    plan += ["--baseline-repeats", "2", "--confirm", "1", "--min-delta", "0.001"]
    done = autoresearch("study", "optimize", "--storage", storage, *binding, *plan)
    assert done.returncode == 0, done.stderr
    assert "database is locked" not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def check_shared(ledger: Ledger, workers: int, trials: int) -> None:
    history = ledger.history()
    assert len({trial.worker for trial in history}) == workers
    counted = [trial for trial in history if trial.kind is not Kind.CONFIRM and trial.started_at is not None]
    assert len(counted) == trials
    assert len([trial for trial in history if trial.kind in SEARCH_KINDS]) > trials // 2
    # The confirmation is shared too, and done once.
    confirms = [trial.key for trial in history if trial.kind is Kind.CONFIRM]
    assert len(confirms) == len(set(confirms)) == (2 if ledger.incumbent().version else 0)


@pytest.mark.slow
def test_two_on_sqlite(
    sqlite_url: str, autoresearch: Run, binding: list[str], edits: str, check: Callable[[str], Ledger]
) -> None:
    out = optimize(sqlite_url, autoresearch, binding, edits, workers=2, trials=50)
    assert "verdict" in out or "no trial beat it" in out
    check_shared(check(sqlite_url), workers=2, trials=50)


@pytest.mark.slow
def test_four_on_postgresql(
    postgresql_url: str, autoresearch: Run, binding: list[str], edits: str, check: Callable[[str], Ledger]
) -> None:
    out = optimize(postgresql_url, autoresearch, binding, edits, workers=4, trials=50)
    assert "verdict" in out or "no trial beat it" in out
    check_shared(check(postgresql_url), workers=4, trials=50)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(
    sqlite_study: str, autoresearch: Run, check: Callable[[str], Ledger], number: signal.Signals
) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "autoresearch.study.cli", "study", "optimize"]
    plan = ["--storage", sqlite_study, "--workers", "2", "--trials", "100", "--confirm", "0"]
    parent = subprocess.Popen([*command, *plan], stderr=subprocess.PIPE, text=True)
    assert parent.stderr is not None
    waiting = {"worker 0", "worker 1"}
    while waiting:
        line = parent.stderr.readline()
        waiting -= {line.partition(":")[0]} if "starts" in line else set()
    family = psutil.Process(parent.pid).children(recursive=True)
    parent.send_signal(number)  # to it alone
    assert parent.wait(60) == (130 if number is signal.SIGINT else -signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    parent.stderr.close()
    assert autoresearch("study", "optimize", "--storage", sqlite_study, "--trials", "0").returncode == 0
    check(sqlite_study)
