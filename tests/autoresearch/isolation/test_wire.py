"""The wire and what arrives on it: everything that a hostile process could send."""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from typing import Any

import pytest

from autoresearch.isolation.channel import MAX_MESSAGE_BYTES, Channel, Nonsense
from autoresearch.isolation.inbox import Closed, Inbox
from autoresearch.isolation.messages import Failed, Finished, Knobs, Logits, Next, Ready, understand
from autoresearch.progress import Progress

PROGRESS = {
    "kind": "progress",
    "fraction": 0.5,
    "step": 7,
    "loss": 2.5,
    "tokens_per_second": 1e4,
    "mfu_percent": None,
    "seconds_left": 3.0,
}
RANGE = json.dumps({"name": "IntDistribution", "attributes": {"low": 1, "high": 8, "step": 1, "log": False}})
KNOB = {"name": "depth", "type": "int", "default": 4, "distribution": RANGE}


@pytest.fixture
def ends() -> Any:
    """A channel, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    with theirs:
        yield channel, theirs
    channel.close()


def framed(content: bytes) -> bytes:
    return struct.pack("!i", len(content)) + content


def test_messages_arrive_whole_and_in_order(ends: tuple[Channel, socket.socket]) -> None:
    channel, other = ends
    there = Channel(other.dup())
    for number in range(3):
        there.send({"number": number, "text": "ü" * 5_000})
        assert channel.receive() == {"number": number, "text": "ü" * 5_000}
    there.close()


@pytest.mark.parametrize(
    "content",
    [b"\x80\x04.", b"[1]", b"7", b"", b'{"loss": NaN}', b'{"loss": -Infinity}', b"[" * 100_000, b'{"a": 1', b"\xff{}"],
)
def test_what_is_no_json_object_is_nonsense(ends: tuple[Channel, socket.socket], content: bytes) -> None:
    channel, other = ends
    other.sendall(framed(content))
    with pytest.raises(Nonsense, match="a message that is no"):
        channel.receive()


@pytest.mark.parametrize("header", [struct.pack("!I", MAX_MESSAGE_BYTES + 1), b"\xff\xff\xff\xff"])
def test_a_message_that_is_too_long_is_not_even_read(ends: tuple[Channel, socket.socket], header: bytes) -> None:
    channel, other = ends
    other.sendall(header)
    with pytest.raises(Nonsense, match="a message over 262144 bytes"):
        channel.receive()


@pytest.mark.parametrize("rest", [b"", b"\x00\x00", framed(b"{}")[:5]])
def test_the_end_is_the_end_also_in_the_midst_of_a_message(ends: tuple[Channel, socket.socket], rest: bytes) -> None:
    channel, other = ends
    other.sendall(rest)
    other.close()
    with pytest.raises(EOFError):
        channel.receive()


def test_numbers_that_no_message_can_carry_are_not_sent(ends: tuple[Channel, socket.socket]) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        ends[0].send({"loss": math.nan})


def test_messages_are_understood() -> None:
    assert understand({"kind": "next"}) == Next()
    assert understand({"kind": "ready"}) == Ready()
    assert understand(PROGRESS) == Progress(0.5, 7, 2.5, 1e4, None, 3.0)
    assert understand({"kind": "logits", "shape": [2, 3, 4], "dtype": "bfloat16"}) == Logits((2, 3, 4), "bfloat16")
    assert understand({"kind": "finished", "peak_memory_bytes": 5}) == Finished(5)
    knobs = understand({"kind": "knobs", "knobs": [KNOB]})
    assert isinstance(knobs, Knobs)
    assert knobs.knobs["depth"].default == 4


@pytest.mark.parametrize(
    "change",
    [
        {"fraction": 1.5},
        {"fraction": -0.1},
        {"fraction": "0.5"},
        {"fraction": True},
        {"fraction": None},
        {"step": 2.0},
        {"step": -1},
        {"step": 10**400},
        {"loss": 1e999},
        {"loss": None},
        {"loss": [2.5]},
        {"mfu_percent": -1},
        {"seconds_left": math.nan},
        {"kind": "score"},
        {"kind": ["progress"]},
        {"kind": None},
    ],
)
def test_values_out_of_place_are_nonsense(change: dict[str, Any]) -> None:
    with pytest.raises(Nonsense):
        understand(PROGRESS | change)


@pytest.mark.parametrize(
    "change",
    [
        {"default": 9},
        {"default": None},
        {"default": [4]},
        {"name": "de pth"},
        {"name": "x" * 101},
        {"type": "complex"},
        {"distribution": "{}"},
        {"distribution": "no json"},
        {"distribution": '{"name": "Normal", "attributes": {}}'},
        {"distribution": RANGE.replace("8", "0")},
        {"distribution": RANGE.replace("8", "Infinity")},
        {"distribution": 7},
    ],
)
def test_knobs_out_of_place_are_nonsense(change: dict[str, Any]) -> None:
    with pytest.raises(Nonsense):
        understand({"kind": "knobs", "knobs": [KNOB | change]})


@pytest.mark.parametrize("knobs", [[], None, "depth", [7], [KNOB, KNOB], [KNOB] * 201])
def test_lists_of_knobs_out_of_place_are_nonsense(knobs: Any) -> None:
    with pytest.raises(Nonsense):
        understand({"kind": "knobs", "knobs": knobs})


def test_what_a_failure_says_is_made_fit_for_a_terminal_and_a_database() -> None:
    said = {
        "kind": "failed",
        "error": "X",
        "message": "red\x1b[31m\nand\0nul" + "x" * 900,
        "tail": "\ud800a\tb\n" * 999,
    }
    failed = understand(said)
    assert isinstance(failed, Failed)
    assert failed.message.startswith("red [31m and nulx")
    assert len(failed.message) == 500
    assert len(failed.tail) == 4000
    assert not {"\0", "\x1b", "\ud800"} & set(failed.tail + failed.message)


def test_of_progress_that_nobody_heard_the_tenths_and_the_latest_are_kept(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, other = ends
    for step in range(1, 101):
        other.sendall(framed(json.dumps(PROGRESS | {"step": step, "fraction": step / 100}).encode()))
    other.close()
    inbox = Inbox(channel)
    inbox._thread.join()  # all of it has arrived
    steps, closed = [], None
    while closed is None:
        letter = inbox.take(time.monotonic() + 60)
        assert letter is not None
        if isinstance(letter.content, Progress):
            steps.append(letter.content.step)
        else:
            closed = letter.content
    assert closed == Closed(None)
    tenths = list(range(10, 101, 10))
    assert steps == sorted(steps)
    assert set(steps) == {*tenths, *(tenth - 1 for tenth in tenths)}
    inbox.close()


def test_a_flood_ends_the_conversation(ends: tuple[Channel, socket.socket]) -> None:
    channel, other = ends
    inbox = Inbox(channel)
    other.sendall(framed(b'{"kind": "ready"}') * 100)
    inbox._thread.join()  # it reads no further
    letters = [inbox.take(time.monotonic() + 60) for _ in range(65)]
    assert letters[-1] is not None
    assert letters[-1].content == Closed("more messages than there is any reason for")
    inbox.close()


def test_nothing_by_the_deadline_is_none(ends: tuple[Channel, socket.socket]) -> None:
    inbox = Inbox(ends[0])
    assert inbox.take(time.monotonic() - 1) is None
    inbox.close()
