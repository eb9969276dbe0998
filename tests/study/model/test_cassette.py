"""Recording what a server said, and playing it again: the same replies and the same failures, without the key."""

from __future__ import annotations

import json
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autoresearch.errors import InputError
from autoresearch.study.model.access import Access
from autoresearch.study.model.cassette import Cassette, Recorder
from autoresearch.study.model.client import Client
from autoresearch.study.model.errors import ModelError, ModelMisused, ModelRefused, ModelUnavailable
from autoresearch.study.model.messages import Message, Part, assistant, user
from autoresearch.study.model.script import Turn, error, overloaded, refusal
from autoresearch.study.model.server import ModelServer
from autoresearch.study.model.usage import Usage

if TYPE_CHECKING:
    from .conftest import Line

KEY = "sk-ant-a-key-that-nobody-may-see"
SYSTEM = [Part("the rules", cached=True)]
FIRST = [user(Part("train.py", cached=True), "0.99 so far")]
SECOND = [*FIRST, assistant("an idea — with ümlauts\u2028"), user("it does not apply")]


def asked(client: Client, system: list[Part], messages: list[Message]) -> Any:
    try:
        return client.ask(system, messages)
    except ModelError as failure:
        what = str(failure).replace(client.host, "HOST")
        return type(failure), what, failure.usage, failure.may_cost


def night(client: Client) -> list[Any]:
    """Everything that the client has to say of a short night."""
    counted = client.count_tokens(SYSTEM, FIRST)
    return [counted, *(asked(client, SYSTEM, messages) for messages in (FIRST, SECOND, FIRST, FIRST, FIRST))]


TURNS = (
    overloaded(retry_after="3"),
    Turn(text="an idea — with ümlauts\u2028", thinking="hm", usage={"input_tokens": 5, "output_tokens": 6}),
    refusal("cyber"),
    Turn(text="x" * 3_000, cut_after=5, usage={"input_tokens": 7, "output_tokens": 8}),
    Turn(is_silent=True),
    error(401, "authentication_error", f"who is {KEY}"),
)


def recorded(line: Line, path: Path, *turns: Turn) -> list[Any]:
    server = line.server(*turns)
    return night(line.client(server.url, recorder=Recorder(path), effort="high"))


def test_a_night_plays_again_with_the_same_replies_and_the_same_failures(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    before = recorded(line, path, *TURNS)
    pauses, line.pauses = line.pauses, []
    notes: list[str] = []
    cassette = Cassette(path, notes.append)
    with ModelServer(cassette) as server:
        client = Client(cassette.model, Access(server.url), effort=cassette.effort, sleep=line.pauses.append)
        again = night(client)
        client.close()
    assert pauses == [3]
    assert before[1].text == TURNS[1].text
    assert [item[0] for item in before[2:]] == [ModelRefused, ModelUnavailable, ModelUnavailable, ModelMisused]
    assert again == before
    assert notes == []


def test_the_key_is_nowhere_in_the_file(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    recorded(line, path, *TURNS)
    text = path.read_text(encoding="utf-8")
    assert "who is [key]" in text
    assert KEY not in text
    assert "authorization" not in text.lower()
    headers = {name for row in text.split("\n") if row for name in json.loads(row)["headers"]}
    assert headers == {"content-type", "request-id", "retry-after"}


def test_recording_goes_on_in_the_same_file(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    for text in ("one", "two"):
        line.client(line.server(Turn(text=text)).url, recorder=Recorder(path)).ask(SYSTEM, FIRST)
    with ModelServer(Cassette(path)) as server:
        client = line.client(server.url)
        assert [client.ask(SYSTEM, FIRST).text for _ in range(2)] == ["one", "two"]


def played(line: Line, path: Path, notes: list[str] | None = None) -> Client:
    server = line.playing(Cassette(path, (notes if notes is not None else []).append))
    return line.client(server.url)


@pytest.fixture
def tape(line: Line, tmp_path: Path) -> Path:
    """One question and one repair."""
    path = tmp_path / "tape.jsonl"
    client = line.client(line.server(Turn(text="one"), Turn(text="two")).url, recorder=Recorder(path))
    client.ask(SYSTEM, FIRST)
    client.ask(SYSTEM, SECOND)
    return path


def test_another_request_in_the_same_place_is_an_error_that_names_the_place(line: Line, tape: Path) -> None:
    client = played(line, tape)
    client.ask(SYSTEM, FIRST)
    other = [*FIRST, assistant("another idea"), user("it does not apply")]
    with pytest.raises(ModelMisused, match=r"request 2 is not the one that was recorded as line 2 of .*tape.jsonl"):
        client.ask(SYSTEM, other)
    assert client.ask(SYSTEM, SECOND).text == "two"  # the place is kept


def test_another_model_or_effort_is_another_request(line: Line, tape: Path) -> None:
    with ModelServer(Cassette(tape)) as server:
        for model, effort in (("other", None), ("claude-opus-5-5", "low")):
            client = Client(model, Access(server.url), effort=effort)
            with pytest.raises(ModelMisused, match=rf"expected /v1/messages for claude-opus-5-5.*got .* for {model}"):
                client.ask(SYSTEM, FIRST)
            client.close()


def test_notes_and_an_edit_are_other_requests(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    edit = [user("# The trials so far\n\n0.99\n\n# Your turn\n\nPropose the next edit.\n")]
    notes = [user("# The trials so far\n\n0.99\n\n# Your turn: no edit this time\n\nWrite the notes anew.\n")]
    line.client(line.server(Turn(text="depth helps")).url, recorder=Recorder(path)).ask(SYSTEM, notes)
    client = played(line, path)
    with pytest.raises(ModelMisused, match="request 1 is not the one that was recorded as line 1"):
        client.ask(SYSTEM, edit)
    assert client.ask(SYSTEM, notes).text == "depth helps"


def test_other_numbers_in_the_briefing_are_the_same_request(line: Line, tape: Path) -> None:
    notes: list[str] = []
    assert played(line, tape, notes).ask(SYSTEM, [user(Part("train.py", cached=True), "0.98 so far")]).text == "one"
    assert notes == []


def test_another_train_py_is_played_with_a_note_said_once(line: Line, tape: Path) -> None:
    notes: list[str] = []
    client = played(line, tape, notes)
    changed = user(Part("train.py, promoted", cached=True), "0.99 so far")
    assert client.ask(SYSTEM, [changed]).text == "one"
    assert client.ask(SYSTEM, [changed, *SECOND[1:]]).text == "two"
    [note] = notes
    assert "tape.jsonl from line 1 on were made for other instructions or another train.py" in note


def test_after_the_last_reply_nothing_more_can_be_had(line: Line, tape: Path) -> None:
    client = played(line, tape)
    client.ask(SYSTEM, FIRST)
    client.ask(SYSTEM, SECOND)
    with pytest.raises(ModelMisused, match=r"all that .* holds was played"):
        client.ask(SYSTEM, FIRST)


def test_a_connection_that_broke_breaks_again_with_the_same_usage(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    cut = Turn(text="y" * 3_000, cut_after=5, usage={"input_tokens": 70, "output_tokens": 80})
    with pytest.raises(ModelUnavailable):
        line.client(line.server(cut).url, recorder=Recorder(path)).ask(SYSTEM, FIRST)
    with pytest.raises(ModelUnavailable) as caught:
        played(line, path).ask(SYSTEM, FIRST)
    assert caught.value.usage == Usage(70, 1)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: what a full disk does, to this process alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_the_recording_and_loses_no_reply(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    turns = [Turn(text="one"), *[Turn(text="long " * 10_000)] * 2, Turn(text="four")]
    client = line.client(line.server(*turns).url, recorder=Recorder(path))
    client.ask(SYSTEM, FIRST)
    with files_of_at_most(path.stat().st_size + 20_000):
        assert [client.ask(SYSTEM, FIRST).text for _ in range(3)] == [turn.text for turn in turns[1:]]
    [note] = line.notes
    assert re.match(r"cannot write .*tape.jsonl: File too large; .*recorded no more", note)
    assert played(line, path).ask(SYSTEM, FIRST).text == "one"
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_what_no_server_heard_is_not_recorded(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with socket.socket() as unused:  # bound and not listening
        unused.bind(("127.0.0.1", 0))
        client = line.client(f"http://127.0.0.1:{unused.getsockname()[1]}", recorder=Recorder(path))
        with pytest.raises(ModelUnavailable, match="no connection"):
            client.ask(SYSTEM, FIRST)
    assert path.read_text() == ""


GOOD_LINE = {
    "version": 2,
    "path": "/v1/messages",
    "model": "m",
    "effort": None,
    "request": "a",
    "prefix": "b",
    "status": 200,
    "headers": {},
    "body": "",
    "ending": "whole",
}


@pytest.mark.parametrize(
    "change",
    [
        {"status": "200"},
        {"headers": {"set-cookie": "x"}},
        {"headers": {"request-id": "x\r\nevil: yes"}},
        {"ending": "never"},
        {"body": 5},
        {"model": None},
    ],
)
def test_a_line_that_no_recorder_wrote_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "tape.jsonl"
    path.write_text(json.dumps(GOOD_LINE) + "\n" + json.dumps(GOOD_LINE | change))
    with pytest.raises(InputError, match=r"tape.jsonl line 2 is no recorded reply"):
        Cassette(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no replies"),
        (b"\n \n", "holds no replies"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"[]", "line 1 is no recorded reply"),
        (b"{", "line 1 is no recorded reply"),
        (json.dumps(GOOD_LINE | {"version": 1}).encode(), "has the version 1: expected 2; record it anew"),
    ],
)
def test_a_file_that_is_no_cassette_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "tape.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        Cassette(path)


def test_files_that_cannot_be_opened_are_said_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: No such file or directory"):
        Cassette(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"cannot write .*: Is a directory; expected a file for --record"):
        Recorder(tmp_path)
