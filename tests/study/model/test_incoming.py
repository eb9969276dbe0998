"""A reply in whatever pieces it arrives, and whatever is not one."""

from __future__ import annotations

import contextlib
import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.study.model.incoming import GarbledReplyError, Incoming, ReportedError
from autoresearch.study.model.messages import MESSAGES
from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import Asked
from autoresearch.study.model.usage import Usage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)


@given(text=TEXTS, thinking=TEXTS, cuts=st.lists(st.integers(0, 3_000), max_size=12), crlf=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_stream_is_the_same_reply_in_whatever_pieces_it_comes(
    text: str, thinking: str, cuts: list[int], crlf: bool
) -> None:
    turn = Turn(text=text, thinking=thinking, usage={"input_tokens": 3, "output_tokens": 9})
    whole = b"".join(Script([turn])(Asked(MESSAGES, {}, {"stream": True})).chunks)
    if crlf:
        whole = whole.replace(b"\n", b"\r\n")
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    incoming = Incoming()
    incoming.take_stream(whole[start:end] for start, end in itertools.pairwise(places))
    assert (incoming.text, incoming.stop_reason, incoming.usage) == (text, "end_turn", Usage(3, 9))


@given(end=st.integers(0, 2_000))
@settings(max_examples=60, deadline=None)
def test_a_stream_cut_anywhere_has_a_beginning_of_the_text_and_no_end(end: int) -> None:
    text = "word " * 200
    whole = b"".join(Script([Turn(text=text)])(Asked(MESSAGES, {}, {"stream": True})).chunks)
    cut = whole[: min(end, whole.index(b"event: message_delta"))]
    incoming = Incoming()
    incoming.take_stream([cut])
    assert text.startswith(incoming.text)
    assert incoming.stop_reason == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "message",
                    "usage",
                    "index",
                    "content_block",
                    "delta",
                    "text",
                    "error",
                    "stop_reason",
                    "content",
                ]
            ),
            inner
            | st.sampled_from(
                [
                    "message_start",
                    "content_block_start",
                    "content_block_delta",
                    "message_delta",
                    "error",
                    "text",
                    "text_delta",
                ]
            ),
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(events=st.lists(JSON, max_size=5))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_a_reply_or_one_of_two_errors(events: list[object]) -> None:
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    for take in (Incoming().take_stream, Incoming().take_whole):
        with contextlib.suppress(GarbledReplyError, ReportedError):
            take([stream])
    if events:
        with contextlib.suppress(GarbledReplyError, ReportedError):
            Incoming().take_whole([json.dumps(events[0]).encode()])
