"""Replies to be played by the local server, one after the other: good ones, errors, and all that can go wrong between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .messages import COUNT_TOKENS
from .server import Asked, Played

_PIECE = 400  # characters of text in one event


@dataclass(frozen=True)
class Turn:
    """One response to `/v1/messages`."""

    text: str = ""
    stop_reason: str = "end_turn"
    thinking: str = ""  # comes before the text, in a block of its own
    usage: Mapping[str, Any] | None = None  # None: counted from the bytes
    details: Mapping[str, Any] | None = None  # of a refusal
    streamed: bool = True  # False: as one JSON object, though a stream was asked for
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # sent as it is, in place of a message
    cut_after: int | None = None  # events after which the connection ends
    is_silent: bool = False
    is_held: bool = False  # until the server is told to `release` it
    held_after: int | None = None  # ... or what comes after so many events


def error(status: int, kind: str, message: str, **headers: str) -> Turn:
    """An error as Anthropic's server reports it; `retry_after="3"` is a header."""
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_error"})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Turn(status=status, headers={"content-type": "application/json", **named}, body=body.encode())


def overloaded(**headers: str) -> Turn:
    """The error 529."""
    return error(529, "overloaded_error", "Overloaded", **headers)


def refusal(category: str = "cyber", explanation: str = "") -> Turn:
    """The model declines, in the middle of a sentence."""
    details = {"type": "refusal", "category": category, "explanation": explanation or None}
    return Turn(text="I can", stop_reason="refusal", details=details)


def garbage(body: bytes = b"<html>It works!</html>\n\n", content_type: str = "text/event-stream") -> Turn:
    """A response that is no reply."""
    return Turn(body=body, headers={"content-type": content_type})


class Script:
    """Plays turns in their order; what the server is asked to count, it counts.

    A turn may be a function of the request. After the last turn every request is an error.
    """

    def __init__(self, turns: Iterable[Turn | Callable[[Asked], Turn]], count: Turn | None = None) -> None:
        self._turns = iter(turns)
        self._count = count  # in answer to count_tokens, in place of the count
        self._played = 0

    def __call__(self, asked: Asked) -> Played:
        """The response to a request."""
        if asked.path == COUNT_TOKENS and self._count is None:
            return _whole({"input_tokens": tokens_of(asked.body)})
        turn = self._count if asked.path == COUNT_TOKENS and self._count else self._next(asked)
        played = _played(turn, asked, self._played)
        return replace(played, is_silent=turn.is_silent, is_held=turn.is_held, held_after=turn.held_after)

    def _next(self, asked: Asked) -> Turn:
        turn = next(self._turns, None)
        if turn is None:
            return error(400, "invalid_request_error", f"the script has ended after {self._played} replies")
        self._played += 1
        return turn(asked) if callable(turn) else turn


def tokens_of(body: Mapping[str, Any]) -> int:
    """What the server counts for a request: a token for four bytes of its text."""
    said = json.dumps([body.get("system"), body.get("messages")], ensure_ascii=False)
    return len(said.encode("utf-8", "replace")) // 4


def _played(turn: Turn, asked: Asked, number: int) -> Played:
    if turn.body is not None:
        return Played(turn.status, turn.headers, (turn.body,), is_cut=turn.cut_after is not None)
    message = _message(turn, asked, number)
    if not (turn.streamed and asked.body.get("stream")):
        return _whole(message)
    events = list(_events(turn, message))
    chunks = tuple(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    headers = {"content-type": "text/event-stream; charset=utf-8", "request-id": f"req_{number}", **turn.headers}
    return Played(200, headers, chunks[: turn.cut_after], is_cut=turn.cut_after is not None)


def _whole(body: Mapping[str, Any]) -> Played:
    return Played(200, {"content-type": "application/json"}, (json.dumps(body).encode(),))


def _message(turn: Turn, asked: Asked, number: int) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if turn.thinking:
        content.append({"type": "thinking", "thinking": turn.thinking, "signature": "signed"})
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    counted = {
        "input_tokens": tokens_of(asked.body),
        "output_tokens": len((turn.thinking + turn.text).encode("utf-8", "replace")) // 4 + 1,
    }
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": asked.body.get("model"),
        "content": content,
        "stop_reason": turn.stop_reason,
        "stop_sequence": None,
        "stop_details": turn.details,
        "usage": counted if turn.usage is None else dict(turn.usage),
    }


def _events(turn: Turn, message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The message in pieces, as the real server sends it: the tokens of the input first, those of the reply last."""
    usage, content = message["usage"], message["content"]
    begun = {**usage, "output_tokens": 1} if usage else {}
    yield {
        "type": "message_start",
        "message": {**message, "content": [], "stop_reason": None, "stop_details": None, "usage": begun},
    }
    yield {"type": "ping"}
    for index, block in enumerate(content):
        field_name = "thinking" if block["type"] == "thinking" else "text"
        yield {"type": "content_block_start", "index": index, "content_block": {**block, field_name: ""}}
        text = block[field_name]
        for start in range(0, len(text), _PIECE):
            delta = {"type": f"{field_name}_delta", field_name: text[start : start + _PIECE]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    end = {"output_tokens": usage["output_tokens"]} if "output_tokens" in usage else {}
    yield {"type": "message_delta", "delta": stop, "usage": end}
    yield {"type": "message_stop"}
