"""The client against a real server on this machine that plays what the real one does on its bad days."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from autoresearch.study.model.access import Access
from autoresearch.study.model.client import Client
from autoresearch.study.model.errors import ModelMisused, ModelRefused, ModelUnavailable
from autoresearch.study.model.messages import COUNT_TOKENS, Answer, assistant, user
from autoresearch.study.model.script import Turn, error, overloaded, refusal
from autoresearch.study.model.usage import Usage

from .conftest import GOOD, KEY, QUESTION, SYSTEM, failure

if TYPE_CHECKING:
    from .conftest import Line


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


@pytest.mark.parametrize(("effort", "longest"), [(None, 16_000), ("high", 16_000), ("xhigh", 64_000), ("max", 64_000)])
def test_who_thinks_more_may_write_more(line: Line, effort: str | None, longest: int) -> None:
    server = line.server(GOOD)
    line.client(server.url, effort=effort).ask([], QUESTION)
    assert server.requests[0].body["max_tokens"] == longest


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


def test_halves_of_characters_are_neither_received_nor_sent(line: Line) -> None:
    server = line.server(Turn(text="a\ud83d\ude00b\ud800c"), GOOD)
    client = line.client(server.url)
    assert client.ask(SYSTEM, QUESTION).text == "a\N{GRINNING FACE}b\N{REPLACEMENT CHARACTER}c"
    client.ask(SYSTEM, [user("a log with \udcff in it")])
    assert server.requests[-1].body["messages"][0]["content"][0]["text"] == "a log with ? in it"


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
    assert re.fullmatch(r"127\.0\.0\.1:\d+ answered 429: Too many requests; once more in 7 s", line.notes[0])


def test_an_outage_is_told_of_once_until_there_is_a_reply(line: Line) -> None:
    client = line.client(line.server(*[overloaded()] * 12, GOOD, overloaded(), GOOD).url)
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            client.ask(SYSTEM, QUESTION)
    assert len(line.notes) == 1
    for _ in range(2):
        client.count_tokens(SYSTEM, QUESTION)  # which is answered all the time
        client.ask(SYSTEM, QUESTION)
    assert len(line.notes) == 2


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


def test_the_key_is_hidden_where_a_server_repeats_it(line: Line) -> None:
    misused = failure(line, error(401, "authentication_error", f"invalid key {KEY} for you"))
    assert "invalid key [key] for you" in str(misused)
    refused = failure(line, refusal("cyber", f"{KEY}?"))
    assert str(refused) == "the model declined to answer (cyber: [key]?)"


def test_the_key_is_hidden_in_a_reply(line: Line) -> None:
    answer = line.client(line.server(Turn(text=f"your key is {KEY}!", stop_reason=KEY)).url).ask(SYSTEM, QUESTION)
    assert (answer.text, answer.stop_reason) == ("your key is [key]!", "[key]")


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


def test_only_what_it_was_given_signs_the_client_in(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-somebody-else")
    server = line.server(GOOD, GOOD)
    for access, sent in (
        (Access(server.url, auth_token="token-of-mine"), "Bearer token-of-mine"),
        (Access(server.url), "Bearer none"),
    ):
        client = Client("claude-opus-5-5", access)
        client.ask(SYSTEM, QUESTION)
        client.close()
        assert server.requests[-1].headers["authorization"] == sent
        assert "sk-of-somebody-else" not in "".join(server.requests[-1].headers.values())


def test_a_proxy_does_not_stand_before_a_server_on_this_machine(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert line.client(line.server(GOOD).url).ask(SYSTEM, QUESTION).text == GOOD.text
