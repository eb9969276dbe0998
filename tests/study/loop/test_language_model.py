"""A night whose edits come from a language model: a real server on this machine plays its replies, good and bad."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from autoresearch.study.model.script import Script, Turn, error, garbage, refusal
from autoresearch.study.model.server import Asked, ModelServer, Played
from autoresearch.study.records import Kind, Purpose, RequestState, Status, TrialRecord
from autoresearch.study.storage.ledger import Ledger

KEY = "sk-ant-this-is-the-secret-of-the-test"
PLACE = "MUON_BETA2 = 0.95"
PRICE = {"input": Decimal(4), "output": Decimal(20)}  # dollars a million tokens, as --price says

pytestmark = pytest.mark.slow


def reply(title: str, *blocks: tuple[str, str]) -> str:
    """What a model that keeps to the format answers."""
    written = [f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE" for search, replace in blocks]
    return "\n\n".join([f"TITLE: {title}\nHYPOTHESIS: it may help", *written])


def beta(value: str, title: str | None = None) -> str:
    """A good edit."""
    return reply(title or f"memory of {value}", (PLACE, f"MUON_BETA2 = {value}"))


def whole_file(asked_source: str) -> str:
    """The answer to the last request of an attempt."""
    return f"TITLE: the whole file\nHYPOTHESIS: as asked\n\n```python\n{asked_source}\n```"


def beside_notes(script: Script) -> Callable[[Asked], Played]:
    """Plays the script to whoever asks for an edit; when notes are due depends on the machine's speed."""
    notes = Script(itertools.repeat(Turn("Nothing helps so far.")))
    return lambda asked: (notes if "no edit this time" in json.dumps(asked.body) else script)(asked)


@contextmanager
def night(url: str, server: ModelServer, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`study optimize` with the server's address and a key in its environment."""
    command = [sys.executable, "-W", "ignore", "-m", "autoresearch.study.cli", "study", "optimize", "--storage", url]
    command += ["--hours", "0.15"]  # should what is waited for never come
    environment = os.environ | {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
    process = subprocess.Popen(
        [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str, log: list[str]) -> str:
    """Read the log up to a line that matches."""
    assert process.stderr is not None
    for line in process.stderr:
        log.append(line)
        if re.search(pattern, line):
            return line
    raise AssertionError(f"the log ended without {pattern!r}:\n{''.join(log)}")


def environments_below(process: subprocess.Popen[str]) -> list[dict[str, str]]:
    """The environments of all processes that the worker has started."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found.append(child.environ())
    return found


def test_whatever_the_model_answers_ends_in_the_right_state_and_the_ledger_adds_up(
    sqlite_study: str, tiny_source: Path, check: Callable[[str], Ledger], home: Path, tmp_path: Path
) -> None:
    source = tiny_source.read_text(encoding="utf-8")
    crash = ("        gram = x @ x.mT\n", "        gram = x @ x @ x.mT @ x\n")
    turns = [
        Turn(beta("0.90")),
        Turn(reply("no Python", (PLACE, "MUON_BETA2 = = 0.95"))),
        Turn(beta("0.91", "no Python, repaired")),
        Turn(reply("not there", ("MUON_BETA3 = 0.95", "MUON_BETA3 = 0.9"))),
        Turn(beta("0.92", "not there, repaired")),
        Turn(reply("everywhere", ("    return", "    return  # here"))),
        Turn(beta("0.93", "everywhere, repaired")),
        Turn("I would rather talk about the weather."),
        Turn("Still the weather."),
        Turn("And tomorrow's."),
        Turn(whole_file(source.replace(PLACE, "MUON_BETA2 = 0.94"))),
        Turn(beta("0.90", "the first once more")),
        Turn(beta("0.9", "and in other words")),
        Turn(beta("0.900", "and in others")),
        Turn(beta("0.90  # a comment", "and again")),
        *[Turn(reply("does not fit", crash)) for _ in range(4)],
        Turn(""),
        Turn(beta("0.87", "silence, then words")),
        refusal(),
        error(529, "overloaded_error", "Overloaded", retry_after="0"),
        error(529, "overloaded_error", "Overloaded", retry_after="0"),
        Turn(beta("0.86", "after an overload")),
        Turn("x" * 200_000),
        Turn(beta("0.85", "after a flood")),
        garbage(),
    ]
    log: list[str] = []
    plan = ["--edit-ratio", "1", "--baseline-repeats", "2", "--confirm", "0", "--min-delta", "10", "--price", "4/20"]
    with ModelServer(beside_notes(Script(turns))) as server, night(sqlite_study, server, *plan) as process:
        read_until(process, "edit      discard|edit      keep", log)
        seen = environments_below(process)
        assert seen
        assert not [one for one in seen if KEY in "".join(one.values())]
        read_until(process, "no edits for now", log)
        read_until(process, "sample    starts", log)  # what was queued before has had its trial
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
        asked = server.asked()
    log.append(rest)

    ledger = check(sqlite_study)
    edits = {trial.title: trial for trial in ledger.history() if trial.kind is Kind.EDIT}
    good = {
        "memory of 0.90",
        "no Python, repaired",
        "not there, repaired",
        "everywhere, repaired",
        "the whole file",
        "silence, then words",
        "after an overload",
        "after a flood",
    }
    assert {title for title, trial in edits.items() if trial.val_bpb is not None} == good, "".join(log)
    failed = {title: trial for title, trial in edits.items() if title not in good}
    assert {trial.status for trial in failed.values()} == {Status.CRASH}
    assert all(trial.started_at is None for trial in failed.values())  # none had a slot on the accelerator
    assert "gives the text of trial" in failed["and again"].reason
    assert "two steps of one row" in failed["does not fit"].reason
    assert [trial for trial in failed.values() if "declined" in trial.reason]
    assert len(failed) == 3

    requests = ledger.requests.history()
    assert len(requests) + 2 == len(asked)  # the overloaded ones are tried again as the same request
    assert Counter(request.state for request in requests)[RequestState.SENT] == 0
    assert ledger.requests.spent() == sum((request.spent_usd for request in requests), Decimal(0))
    for request in requests:
        if request.state is RequestState.ANSWERED:
            assert request.cost_usd == cost_of(request.usage)
    assert f"{ledger.requests.spent():.2f}" in out

    everything = [path for folder in (home / "studies", tmp_path) for path in folder.rglob("*") if path.is_file()]
    holders = [path for path in everything if KEY.encode() in path.read_bytes()]
    assert holders == []
    assert KEY not in out + "".join(log)


def cost_of(usage: dict[str, object]) -> Decimal:
    """By hand, from the figures that the server has given."""
    tokens = {name: Decimal(str(value)) for name, value in usage.items() if isinstance(value, int)}
    return (
        tokens.get("input_tokens", Decimal(0)) * PRICE["input"]
        + tokens.get("output_tokens", Decimal(0)) * PRICE["output"]
    ) / 1_000_000


def scored_samples(history: list[TrialRecord]) -> list[TrialRecord]:
    return [trial for trial in history if trial.kind is Kind.SAMPLE and trial.val_bpb is not None]


def test_the_limit_is_kept_and_samples_go_on(sqlite_study: str, check: Callable[[str], Ledger]) -> None:
    def next_value() -> Iterator[Turn]:
        for value in range(60, 95):
            yield Turn(beta(f"0.{value}"), usage={"input_tokens": 10_000, "output_tokens": 2_000})

    log: list[str] = []
    plan = ["--edit-ratio", "1", "--baseline-repeats", "2", "--confirm", "0", "--min-delta", "10", "--max-cost", "0.50"]
    plan += ["--price", "4/20"]
    with ModelServer(beside_notes(Script(next_value()))) as server, night(sqlite_study, server, *plan) as process:
        line = read_until(process, "no more edits", log)
        assert "--max-cost 0.50" in line
        for _ in range(2):
            read_until(process, "sample    (discard|keep|pruned)", log)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    ledger = check(sqlite_study)
    spent = ledger.requests.spent()
    assert Decimal(0) < spent <= Decimal("0.50")
    assert scored_samples(ledger.history())
    asked = [request for request in ledger.requests.history() if request.purpose is Purpose.EDIT]
    assert len([trial for trial in ledger.history() if trial.kind is Kind.EDIT]) == len(asked)
