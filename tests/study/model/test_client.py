"""The client against a real server on this machine that plays what the real one does on its bad days."""

from __future__ import annotations

import json
import re
import socket
import traceback
from itertools import count
from typing import TYPE_CHECKING

import pytest

from autoresearch.study.model.errors import ModelError, ModelMisused, ModelRefused, ModelUnavailable
from autoresearch.study.model.messages import COUNT_TOKENS, Answer, Part, assistant, user
from autoresearch.study.model.script import Turn, error, garbage, overloaded, refusal
from autoresearch.study.model.usage import Usage

if TYPE_CHECKING:
    from .conftest import Line

KEY = "sk-ant-a-key-that-nobody-may-see"
SYSTEM = [Part("You improve train.py.", cached=True)]
QUESTION = [user(Part("the source", cached=True), "what was tried")]
GOOD = Turn(text="TITLE: wider\n" + "é" * 1_000, usage={"input_tokens": 12, "output_tokens": 340})


def failure(line: Line, *turns: Turn, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        line.client(line.server(*turns).url, **options).ask(SYSTEM, QUESTION)
    shown = str(caught.value)
    assert shown.isprintable()
    assert len(shown) < 500
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_a_streamed_reply_arrives_whole_with_its_usage(line: Line) -> None:
    answer = line.client(line.server(GOOD).url).ask(SYSTEM, QUESTION)
    assert answer == Answer(GOOD.text, "end_turn", Usage(input_tokens=12, output_tokens=340), "req_1")
    assert line.pauses == []


def test_the_request_caches_what_stays_for_an_hour_and_carries_the_effort(line: Line) -> None:
    server = line.server(GOOD)
    client = line.client(server.url, effort="high", max_tokens=99)
    client.ask(SYSTEM, [*QUESTION, assistant("so"), user("no")])
    [asked] = server.requests
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert asked.body == {
        "model": "claude-opus-5-5",
        "max_tokens": 99,
        "stream": True,
        "output_config": {"effort": "high"},
        "system": [{"type": "text", "text": "You improve train.py.", "cache_control": hour}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "the source", "cache_control": hour},
                    {"type": "text", "text": "what was tried"},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
            {"role": "user", "content": [{"type": "text", "text": "no"}]},
        ],
    }
    assert KEY in "".join(asked.headers.values())


def test_a_model_without_an_effort_is_not_told_of_one(line: Line) -> None:
    server = line.server(GOOD)
    line.client(server.url).ask([], QUESTION)
    assert not {"output_config", "system"} & set(server.requests[0].body)


def test_a_server_that_does_not_stream_is_understood(line: Line) -> None:
    whole = Turn(text="all at once", streamed=False, usage={"input_tokens": 3, "output_tokens": 4})
    answer = line.client(line.server(whole).url).ask(SYSTEM, QUESTION)
    assert (answer.text, answer.stop_reason, answer.usage) == ("all at once", "end_turn", Usage(3, 4))


def test_thinking_before_the_text_is_no_part_of_the_reply(line: Line) -> None:
    answer = line.client(line.server(Turn(thinking="hm " * 500, text="yes")).url).ask(SYSTEM, QUESTION)
    assert answer.text == "yes"


def test_a_reply_of_200_kb_is_not_cut(line: Line) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert len(text) > 200_000
    assert line.client(line.server(Turn(text=text)).url).ask(SYSTEM, QUESTION).text == text


def test_an_empty_reply_is_a_reply(line: Line) -> None:
    assert line.client(line.server(Turn()).url).ask(SYSTEM, QUESTION).text == ""


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_reply_that_was_cut_off_says_so(line: Line, reason: str) -> None:
    answer = line.client(line.server(Turn(text="half", stop_reason=reason)).url).ask(SYSTEM, QUESTION)
    assert (answer.text, answer.was_cut_off) == ("half", True)


def test_a_usage_that_is_not_told_is_unknown_and_not_nothing(line: Line) -> None:
    assert line.client(line.server(Turn(text="free?", usage={})).url).ask(SYSTEM, QUESTION).usage is None


def test_a_refusal_says_of_what_and_what_it_cost(line: Line) -> None:
    refused = failure(line, refusal("frontier_llm", "cannot help\nwith this"))
    assert isinstance(refused, ModelRefused)
    assert str(refused) == "the model declined to answer (frontier_llm: cannot help with this)"
    assert refused.usage is not None
    assert refused.usage.output_tokens > 0


def test_a_rate_limit_is_waited_out_as_long_as_the_server_says(line: Line) -> None:
    limited = error(429, "rate_limit_error", "Too many requests", retry_after="7")
    client = line.client(line.server(limited, limited, GOOD).url)
    assert client.ask(SYSTEM, QUESTION).text == GOOD.text
    assert line.pauses == [7, 7]
    assert re.fullmatch(r"127\.0\.0\.1:\d+ answered 429: Too many requests; once more in 7 s", line.retries[0])


def test_milliseconds_are_the_more_exact_header(line: Line) -> None:
    limited = error(429, "rate_limit_error", "wait", retry_after="9", retry_after_ms="2500")
    line.client(line.server(limited, GOOD).url).ask(SYSTEM, QUESTION)
    assert line.pauses == [2.5]


def test_a_wait_beyond_patience_is_left_to_the_caller(line: Line) -> None:
    unavailable = failure(line, error(429, "rate_limit_error", "tomorrow", retry_after="3600"))
    assert isinstance(unavailable, ModelUnavailable)
    assert (unavailable.retry_after, unavailable.may_cost, line.pauses) == (3600, False, [])


@pytest.mark.parametrize("header", ["soon", "nan", "-5", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_no_number_is_our_own(line: Line, header: str) -> None:
    line.client(line.server(overloaded(retry_after=header), GOOD).url).ask(SYSTEM, QUESTION)
    assert line.pauses == [2]


def test_a_storm_of_overloads_ends_after_two_minutes_at_most(line: Line) -> None:
    server = line.server(*[overloaded()] * 50)
    with pytest.raises(
        ModelUnavailable, match=r"answered 529: Overloaded \(7 tries in 62 s\)|\(6 tries in 62 s\)"
    ) as caught:
        line.client(server.url).ask(SYSTEM, QUESTION)
    assert line.pauses == [2, 4, 8, 16, 32]
    assert len(server.requests) == 6
    assert (caught.value.retry_after, caught.value.may_cost, caught.value.usage) == (300, False, None)


def test_a_wait_of_nothing_does_not_make_a_storm_of_requests(line: Line) -> None:
    server = line.server(*[overloaded(retry_after="0")] * 50)
    with pytest.raises(ModelUnavailable):
        line.client(server.url).ask(SYSTEM, QUESTION)
    assert line.pauses == [1] * 7
    assert len(server.requests) == 8


def test_an_internal_error_is_tried_again(line: Line) -> None:
    broken = Turn(status=500, body=b"<html>nginx</html>", headers={"content-type": "text/html"})
    assert line.client(line.server(broken, GOOD).url).ask(SYSTEM, QUESTION).text == GOOD.text
    assert line.pauses == [2]


def test_a_server_that_says_not_to_try_again_is_believed(line: Line) -> None:
    misused = failure(line, error(500, "api_error", "never", x_should_retry="false"))
    assert isinstance(misused, ModelMisused)
    assert line.pauses == []


@pytest.mark.parametrize(
    ("status", "kind", "said", "remedy"),
    [
        (400, "invalid_request_error", "output_config.effort: Input should be 'low'", "check --model and --effort"),
        (401, "authentication_error", "invalid x-api-key", "check ANTHROPIC_API_KEY"),
        (402, "billing_error", "no credit", "see to the account's balance"),
        (403, "permission_error", "not yours", "check ANTHROPIC_API_KEY and --model"),
        (404, "not_found_error", "model: claude-opus-55", "check --model, and ANTHROPIC_BASE_URL if it is set"),
        (413, "request_too_large", "too large", "larger than the server takes"),
    ],
)
def test_what_can_never_succeed_is_asked_once(line: Line, status: int, kind: str, said: str, remedy: str) -> None:
    misused = failure(line, error(status, kind, said), GOOD)
    assert isinstance(misused, ModelMisused)
    assert (misused.status, misused.may_cost, line.pauses) == (status, False, [])
    assert f"answered {status}: {said}; " in str(misused)
    assert remedy in str(misused)


def test_a_redirect_is_not_followed_with_the_key(line: Line) -> None:
    elsewhere = line.server(GOOD)
    moved = Turn(status=307, headers={"location": f"{elsewhere.url}/v1/messages"}, body=b"")
    misused = failure(line, moved)
    assert isinstance(misused, ModelMisused)
    assert "redirects" in str(misused)
    assert elsewhere.requests == []


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
    )
    answer = line.client(line.server(garbage(stream)).url).ask(SYSTEM, QUESTION)
    assert (answer.text, answer.usage) == ("ab\u2028c", Usage(1, 2))


def test_the_key_is_hidden_where_a_server_repeats_it(line: Line) -> None:
    misused = failure(line, error(401, "authentication_error", f"invalid key {KEY} for you"))
    assert "invalid key [key] for you" in str(misused)
    refused = failure(line, refusal("cyber", f"{KEY}?"))
    assert str(refused) == "the model declined to answer (cyber: [key]?)"


def test_the_client_does_not_show_its_key(line: Line) -> None:
    client = line.client("http://127.0.0.1:9")
    assert repr(client) == "Client('claude-opus-5-5', '127.0.0.1:9')"
    assert KEY not in repr(vars(client))


def test_tokens_are_counted_by_the_server(line: Line) -> None:
    server = line.server()
    assert line.client(server.url).count_tokens(SYSTEM, QUESTION) > 10
    [asked] = server.asked(COUNT_TOKENS)
    assert set(asked.body) == {"model", "system", "messages"}


@pytest.mark.parametrize(
    "answer",
    [
        error(404, "not_found_error", "no such page"),
        Turn(status=405, body=b"no"),
        Turn(body=b"what?"),
        Turn(body=b'{"input_tokens": "many"}'),
        Turn(body=b"[]"),
    ],
)
def test_a_server_that_cannot_count_leaves_the_bytes_which_are_more(line: Line, answer: Turn) -> None:
    counted = line.client(line.server(count=answer).url).count_tokens(SYSTEM, QUESTION)
    assert counted >= len("You improve train.py." + "the source" + "what was tried")


def test_counting_waits_out_a_rate_limit_and_stops_at_a_bad_key(line: Line) -> None:
    with pytest.raises(ModelUnavailable):
        line.client(line.server(count=overloaded()).url).count_tokens(SYSTEM, QUESTION)
    assert line.pauses == [2, 4, 8, 16, 32]
    with pytest.raises(ModelMisused, match="check ANTHROPIC_API_KEY"):
        line.client(line.server(count=error(401, "authentication_error", "no")).url).count_tokens(SYSTEM, QUESTION)
