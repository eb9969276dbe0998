"""A reply while it arrives: server-sent events, or one JSON object from a server that does not stream.

Read from plain JSON, not through the SDK's classes: those take anything for an event and fail later, elsewhere. Here what
is not understood is passed over where it is new (a block of another type) and an error where it is broken, and whatever
has arrived before it broke is still known: the tokens that it cost among it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .messages import Answer
from .usage import Usage

_MOST = 8_000_000  # characters of a reply: many times what any model writes at once


class GarbledReplyError(ValueError):
    """What arrives is no reply of a language model."""


class ReportedError(Exception):
    """The server says in the middle of a reply that it cannot go on."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind


class Incoming:
    """What has arrived so far."""

    def __init__(self) -> None:
        self.has_begun = False
        self.usage: Usage | None = None
        self.stop_reason = ""
        self.refusal = ""  # what the server says of the reason why the model declines
        self._text: dict[int, list[str]] = {}  # by the block's position; of blocks of text only
        self._size = 0

    @property
    def text(self) -> str:
        """The blocks of text one after the other, without what the model thought before."""
        return "".join(piece for _, pieces in sorted(self._text.items()) for piece in pieces)

    def take_stream(self, chunks: Iterable[bytes]) -> None:
        """Read server-sent events to their end.

        Raises:
            GarbledReplyError: They are none.
            ReportedError: The server reports an error.
        """
        for data in _events(chunks):
            self._take(_object(data))

    def take_whole(self, chunks: Iterable[bytes]) -> None:
        """Read a message that comes as one JSON object.

        Raises:
            GarbledReplyError: It is none.
            ReportedError: It is an error.
        """
        body = _object(_decoded(b"".join(chunks)))
        if body.get("type") == "error":
            self._take(body)
        self._begin(body)
        content = body.get("content")
        for index, block in enumerate(content if isinstance(content, list) else []):
            self._begin_block({"index": index, "content_block": block})
        self._stop(body)

    def answer(self, request_id: str) -> Answer:
        """The reply, once it has come to its end."""
        return Answer(self.text, self.stop_reason, self.usage, request_id)

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._begin(_part(event, "message"))
            case "content_block_start":
                self._begin_block(event)
            case "content_block_delta":
                self._extend_block(event)
            case "message_delta":
                self._stop(_part(event, "delta"))
                self.usage = Usage.read(event.get("usage"), self.usage)
            case "error":
                error = _part(event, "error")
                raise ReportedError(str(error.get("type") or "error"), str(error.get("message") or ""))

    def _begin(self, message: Mapping[str, Any]) -> None:
        if message.get("type", "message") != "message":
            raise GarbledReplyError(f"an object of type {message.get('type')!r} in place of a message")
        self.has_begun = True
        self.usage = Usage.read(message.get("usage"))

    def _begin_block(self, event: Mapping[str, Any]) -> None:
        block = _part(event, "content_block")
        if block.get("type") == "text":
            self._text[_index(event)] = []
            self._add(event, block.get("text") or "")

    def _extend_block(self, event: Mapping[str, Any]) -> None:
        delta = _part(event, "delta")
        if delta.get("type") == "text_delta":
            if _index(event) not in self._text:
                raise GarbledReplyError("text for a block that has not begun")
            self._add(event, delta.get("text"))

    def _add(self, event: Mapping[str, Any], text: Any) -> None:
        if not isinstance(text, str):
            raise GarbledReplyError(f"a piece of text that is {type(text).__name__}")
        self._size += len(text)
        if self._size > _MOST:
            raise GarbledReplyError(f"a reply of over {_MOST:,} characters")
        self._text[_index(event)].append(text)

    def _stop(self, delta: Mapping[str, Any]) -> None:
        reason, details = delta.get("stop_reason"), delta.get("stop_details")
        if isinstance(reason, str):
            self.stop_reason = reason
        if isinstance(details, Mapping):
            said = (details.get("category"), details.get("explanation"))
            self.refusal = ": ".join(str(word) for word in said if word)


def _events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event. What is left at the end without its blank line has been cut, and is dropped."""
    data: list[str] = []
    for line in _lines(chunks):
        if not line and data:
            yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line and not line.startswith((":", "event:", "id:", "retry:")):
            raise GarbledReplyError(f"a line that belongs to no event: {line[:60]!r}")


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest: list[bytes] = []  # of a line that has not ended: joined once, however many pieces it comes in
    size = 0
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield _decoded(b"".join([*rest, line])).removesuffix("\r")
            rest, size = [], 0
        rest.append(last)
        size += len(last)
        if size > _MOST:
            raise GarbledReplyError(f"a line of over {_MOST:,} bytes")


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise GarbledReplyError(f"bytes that are no UTF-8 text: {data[:40]!r}") from None


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise GarbledReplyError(f"no JSON: {text[:60]!r}") from None
    if not isinstance(value, dict):
        raise GarbledReplyError(f"no JSON object: {text[:60]!r}")
    return value


def _part(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise GarbledReplyError(f"an event {event.get('type')!r} without {name}")
    return value


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    if not isinstance(index, int):
        raise GarbledReplyError(f"a block at position {index!r}")
    return index
