"""Replies that do not arrive: silence, lost connections, garbage, and what each of them may have cost."""

from __future__ import annotations

import json
import socket
import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from autoresearch.study.model.errors import ModelError, ModelMisused, ModelUnavailable
from autoresearch.study.model.script import Turn, error, garbage, overloaded
from autoresearch.study.model.usage import Usage

from .conftest import GOOD, QUESTION, SYSTEM, failure

if TYPE_CHECKING:
    from autoresearch.study.model.server import Asked

    from .conftest import Line


def test_silence_ends_the_request_which_may_cost_and_is_not_repeated(line: Line) -> None:
    server = line.server(Turn(text="late", is_held=True), GOOD)
    with pytest.raises(ModelUnavailable, match=r"no word from 127.0.0.1:\d+ for 0.2 s") as caught:
        line.client(server.url, silence=0.2).ask(SYSTEM, QUESTION)
    assert (caught.value.may_cost, caught.value.retry_after) == (True, 300)
    assert len(server.requests) == 1


def test_a_reply_that_does_not_end_is_given_up(line: Line) -> None:
    ticks = count(step=10)
    endless = Turn(text="word " * 2_000)
    unavailable = failure(line, endless, longest=25.0, now=lambda: float(next(ticks)))
    assert isinstance(unavailable, ModelUnavailable)
    assert "took longer than 25 s" in str(unavailable)
    assert unavailable.may_cost


def test_a_refused_connection_costs_nothing_and_is_tried_again(line: Line) -> None:
    with socket.socket() as unused:  # bound and not listening: nobody else gets the port
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ModelUnavailable, match=r"no connection to 127.0.0.1:\d+ .*\(6 tries in 62 s\)") as caught:
            line.client(url).ask(SYSTEM, QUESTION)
    assert not caught.value.may_cost


def test_a_connection_that_drops_without_a_word_may_cost(line: Line) -> None:
    server = line.server(Turn(is_silent=True), GOOD)
    with pytest.raises(ModelUnavailable, match=r"the connection to 127.0.0.1:\d+ was lost") as caught:
        line.client(server.url).ask(SYSTEM, QUESTION)
    assert caught.value.may_cost
    assert len(server.requests) == 1


def test_a_time_out_that_is_reported_in_place_of_a_reply_may_cost(line: Line) -> None:
    report = {"type": "error", "error": {"type": "timeout_error", "message": "took too long"}}
    body = f"event: error\ndata: {json.dumps(report)}\n\n".encode()
    late = failure(line, Turn(body=body, headers={"content-type": "text/event-stream"}))
    assert (late.may_cost, line.pauses) == (True, [])


@pytest.mark.parametrize("status", [504, 524])
def test_a_gateway_that_waited_in_vain_may_cost_and_is_not_asked_again(line: Line, status: int) -> None:
    lost = failure(line, error(status, "timeout_error", "upstream is late"))
    assert isinstance(lost, ModelUnavailable)
    assert f"answered {status}: upstream is late" in str(lost)
    assert (lost.may_cost, lost.usage, line.pauses) == (True, None, [])


def test_a_stream_that_breaks_reports_the_usage_it_began_with(line: Line) -> None:
    cut = Turn(text="x" * 5_000, cut_after=6, usage={"input_tokens": 1_234, "output_tokens": 999})
    unavailable = failure(line, cut)
    assert isinstance(unavailable, ModelUnavailable)
    assert unavailable.usage == Usage(input_tokens=1_234, output_tokens=1)
    assert unavailable.may_cost


def test_a_stream_that_ends_early_but_politely_is_cut_all_the_same(line: Line) -> None:
    events = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n'
    unavailable = failure(line, garbage(events))
    assert "broke off before its end" in str(unavailable)
    assert unavailable.usage == Usage(input_tokens=5)


@pytest.mark.parametrize("begun", [False, True])
def test_an_overload_in_a_stream_is_repeated_only_before_the_reply_has_begun(line: Line, begun: bool) -> None:
    start = 'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n'
    fault = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    stream = (start if begun else "") + f"event: error\ndata: {json.dumps(fault)}\n\n"
    client = line.client(line.server(garbage(stream.encode()), GOOD).url)
    if begun:
        with pytest.raises(ModelUnavailable, match="overloaded_error: Overloaded") as caught:
            client.ask(SYSTEM, QUESTION)
        assert (caught.value.usage, caught.value.may_cost) == (Usage(input_tokens=5), True)
    else:
        assert client.ask(SYSTEM, QUESTION).text == GOOD.text
        assert line.pauses == [2]


def test_an_error_in_a_stream_that_will_not_pass_is_permanent(line: Line) -> None:
    fault = b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"no"}}\n\n'
    assert isinstance(failure(line, garbage(fault)), ModelMisused)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>It works!</html>\n\n",
        b"data: {not json\n\n",
        b"data: [1, 2]\n\n",
        b"data: \xff\xfe\n\n",
        b'data: {"type":"message_start"}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}\n\n',
        b'data: {"type":"content_block_start","index":"a","content_block":{"type":"text","text":""}}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":7}}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"",
    ],
)
def test_garbage_is_no_reply_and_may_cost(line: Line, body: bytes) -> None:
    unavailable = failure(line, garbage(body), GOOD)
    assert isinstance(unavailable, ModelUnavailable)
    assert unavailable.may_cost
    assert line.pauses == []


@pytest.mark.parametrize("body", [b"", b"null", b"{", b'{"type":"completion"}', b'{"content":[{"type":"text"}]}'])
def test_garbage_in_json_is_no_reply_either(line: Line, body: bytes) -> None:
    assert isinstance(failure(line, garbage(body, "application/json")), ModelUnavailable)


def test_pieces_of_a_line_and_unknown_events_are_put_together(line: Line) -> None:
    stream = (
        b": a comment\r\n\r\n"
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":1,"output_tokens":1}}}\r\n\r\n'
        b'event: novelty\r\ndata: {"type":"novelty"}\r\n\r\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"hologram"}}\r\n\r\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"hologram_delta","text":"no"}}\r\n\r\n'
        b'data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":"a"}}\r\n\r\n'
        b'data: {"type":"content_block_delta","index":1,\r\n'
        b'data: "delta":{"type":"text_delta","text":"b\\u2028c"}}\r\n\r\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\r\n\r\n'
        b"data: [DONE]\r\n\r\n"
    )
    answer = line.client(line.server(garbage(stream)).url).ask(SYSTEM, QUESTION)
    assert (answer.text, answer.usage) == ("ab\u2028c", Usage(1, 2))


@pytest.mark.parametrize("turn", [Turn(text="late", is_held=True), Turn(text="x" * 4_000, held_after=4)])
def test_closing_breaks_off_what_another_thread_waits_for(line: Line, turn: Turn) -> None:
    arrived = threading.Event()

    def play(asked: Asked) -> Turn:
        arrived.set()
        return turn

    server = line.server(play, GOOD)
    client = line.client(server.url, silence=300.0)
    failures: list[ModelError] = []

    def ask() -> None:
        try:
            client.ask(SYSTEM, QUESTION)
        except ModelError as broken:
            failures.append(broken)

    asking = threading.Thread(target=ask)
    asking.start()
    assert arrived.wait(60)
    client.close()
    asking.join(60)
    assert not asking.is_alive()
    [broken] = failures
    assert isinstance(broken, ModelUnavailable)
    assert broken.may_cost


def test_a_client_that_is_closed_sends_nothing(line: Line) -> None:
    server = line.server(GOOD)
    client = line.client(server.url)
    client.close()
    with pytest.raises(ModelUnavailable, match="is not asked any more"):
        client.ask(SYSTEM, QUESTION)
    assert server.requests == []
    assert line.pauses == []


def test_a_wait_between_tries_is_the_last_when_the_client_is_closed(line: Line) -> None:
    server = line.server(overloaded(), GOOD)
    client = line.client(server.url, sleep=lambda seconds: client.close())
    with pytest.raises(
        ModelUnavailable, match=r"529: Overloaded; the worker ended before it was tried again"
    ) as caught:
        client.ask(SYSTEM, QUESTION)
    assert not caught.value.may_cost
    assert len(server.requests) == 1


def test_closing_ends_a_wait_between_tries(line: Line) -> None:
    server = line.server(error(429, "rate_limit_error", "later", retry_after="100"), GOOD)
    waiting = threading.Event()
    client = line.client(server.url, sleep=None, note=lambda _: waiting.set())
    failures: list[ModelError] = []

    def ask() -> None:
        try:
            client.ask(SYSTEM, QUESTION)
        except ModelError as broken:
            failures.append(broken)

    asking = threading.Thread(target=ask)
    asking.start()
    assert waiting.wait(60)
    client.close()
    asking.join(60)
    assert not asking.is_alive()
    assert [str(broken).partition(" ")[2] for broken in failures] == [
        "answered 429: later; the worker ended before it was tried again"
    ]
    assert len(server.requests) == 1
