"""kill -9 at every named state, and at random: the next `optimize` goes on, and the books balance."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

import pytest

from autoresearch.study.storage.ledger import Ledger

REQUEST = {"trials": 1, "baseline_repeats": 2, "confirm": 0, "min_delta": 0.001, "device": "cpu"}

# In an order in which each is reached soon. The study begins with two baselines, goes on with edits only, and three of
# the first four edits fail.
POINTS = (
    "lease",
    "propose",
    "claim:taken",
    "claim:optuna",
    "claim:row",
    "start",
    "report",
    "judge",
    "settle:promoted",
    "revision",
    "fail:row",
    "fail:attrs",
    "fail:told",
    "settle:decided",
    "settle:attrs",
    "settle:told",
)


@pytest.mark.slow
def test_at_every_named_state(sqlite_study: str, edits: str, night_process, check: Callable[[str], Ledger]) -> None:
    request = REQUEST | {"editor": edits, "edit_ratio": 0.8, "trials": 8}
    for point in POINTS:
        assert night_process.run(sqlite_study, point, **request) == -signal.SIGKILL, f"{point} was never reached"
    assert night_process.run(sqlite_study, **REQUEST) == 0
    ledger = check(sqlite_study)
    # A worker that dies costs the trial in flight, and no more.
    died = [trial for trial in ledger.history() if trial.reason.startswith("its worker died")]
    assert len(died) <= len(POINTS)
    assert ledger.incumbent() is not None


@pytest.mark.slow
def test_twenty_times_at_random(sqlite_study: str, edits: str, night_process, check: Callable[[str], Ledger]) -> None:
    draw = random.Random(0)
    request = REQUEST | {"editor": edits, "edit_ratio": 0.5, "trials": 100}
    for _ in range(20):
        assert night_process.run(sqlite_study, "any", draw.randint(1, 25), **request) == -signal.SIGKILL
    assert night_process.run(sqlite_study, **REQUEST) == 0
    check(sqlite_study)
