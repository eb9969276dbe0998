"""kill -9 at every named state, and at random: the next `optimize` goes on, and the books balance."""

from __future__ import annotations

import itertools
import json
import random
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import Asked, ModelServer
from autoresearch.study.records import Kind, Purpose, RequestState
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


def numbered(titles: list[str]) -> Callable[[Asked], Turn]:
    """Edits of one constant, each of them another one, so that each reply can be told from all others; and notes, if asked."""

    def reply(asked: Asked) -> Turn:
        if "no edit this time" in json.dumps(asked.body):
            return Turn("Nothing helps so far.")
        beta = f"0.9{100 + len(titles)}"
        titles.append(beta)
        return Turn(
            f"TITLE: {beta}\nHYPOTHESIS: none\n\n"
            f"<<<<<<< SEARCH\nMUON_BETA2 = 0.95\n=======\nMUON_BETA2 = {beta}\n>>>>>>> REPLACE"
        )

    return reply


@pytest.mark.slow
def test_around_the_requests_of_a_night(sqlite_study: str, night_process, check: Callable[[str], Ledger]) -> None:
    """No request is paid for twice, and each edit that was paid for has its one trial."""
    night = REQUEST | {"editor": "anthropic", "price": "4/20", "edit_ratio": 1.0, "min_delta": 10.0}
    titles: list[str] = []
    with ModelServer(Script(itertools.repeat(numbered(titles)))) as server:
        environment = {"ANTHROPIC_API_KEY": "sk-ant-of-a-test", "ANTHROPIC_BASE_URL": server.url}
        for point in ("request:sent", "request:answered", "propose", "claim:row", "start", "judge", "request:answered"):
            code = night_process.run(sqlite_study, point, environment=environment, **night | {"trials": 50})
            assert code == -signal.SIGKILL, f"{point} was never reached"
        assert night_process.run(sqlite_study, environment=environment, **night | {"trials": 6}) == 0
    ledger = check(sqlite_study)
    requests = [request for request in ledger.requests.history() if request.purpose is Purpose.EDIT]
    answered = [request.draft for request in requests if request.state is RequestState.ANSWERED]
    lost = [request for request in requests if request.state is RequestState.LOST]
    assert len(answered) <= len(titles) <= len(answered) + len(lost)
    assert len(set(answered)) == len(answered) >= 2
    assert {f"anthropic:{draft}" for draft in answered[:-1]} <= set(ledger.proposal_keys())
    tried = Counter(trial.title for trial in ledger.history() if trial.kind is Kind.EDIT and trial.val_bpb is not None)
    assert set(tried) <= set(titles)
    assert set(tried.values()) == {1}
