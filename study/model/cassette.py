"""What a language model's server said, in a file, so that a night can be played again without a key.

One JSON object a line for each exchange, in their order. Of the request it keeps what tells whether another one is in the
same place of the same night: the model, the effort, whose turn it is, what the model had said before, and what the first
request of a conversation asks for (an edit, notes), which the last heading in it says. The rest differs from night to night (speeds, scores), and would only make every replay a stranger. Headers that sign a request in
are never written, and the key not even where a server repeats it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from autoresearch.errors import InputError

from .messages import MESSAGES
from .server import Asked, Played

_VERSION = 2
# Headers of a response that change what a client does.
_KEPT = ("content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry")
_ENDINGS = ("whole", "cut", "silent")


@dataclass
class Exchange:
    """A request and what came of it, filled in while it comes."""

    path: str
    model: str
    effort: str | None
    request: str  # hash of what makes it the request in this place
    prefix: str  # hash of what the provider was asked to keep at hand: the instructions, and the incumbent's text
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ending: str = "silent"  # or cut, or whole

    @classmethod
    def of(cls, path: str, body: Mapping[str, Any]) -> Self:
        """The exchange that begins with a request."""
        output = body.get("output_config")
        effort = output.get("effort") if isinstance(output, Mapping) else None
        turns = _objects(body.get("messages"))
        said: list[Any] = [
            [turn.get("role"), _texts(turn) if turn.get("role") == "assistant" else None] for turn in turns
        ]
        if len(turns) == 1:
            said.append(_last_heading(_texts(turns[0])))
        kept = [text for part in [body, *turns] for text in _texts(part, cached=True)]
        model = str(body.get("model"))
        return cls(path, model, effort, _hash([path, model, effort, said]), _hash(kept))

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of a response has come."""
        self.status, self.ending = status, "cut"
        self.headers = {name: headers[name] for name in _KEPT if name in headers}

    def add(self, chunk: bytes) -> None:
        """A piece of its body has come."""
        self.body += chunk

    def end(self) -> None:
        """It has come to its end."""
        self.ending = "whole"

    def complete(self, status: int, headers: Mapping[str, str], text: str) -> None:
        """It has come at once."""
        self.begin(status, headers)
        self.add(text.encode("utf-8", "replace"))
        self.end()


class Recorder:
    """Appends exchanges to a file.

    Raises:
        InputError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._append("")  # now, rather than after the first request has been paid for

    def write(self, exchange: Exchange, hide: Callable[[str], str]) -> None:
        """Write an exchange down, its text passed through `hide`."""
        record = {
            "version": _VERSION,
            "path": exchange.path,
            "model": exchange.model,
            "effort": exchange.effort,
            "request": exchange.request,
            "prefix": exchange.prefix,
            "status": exchange.status,
            "headers": {name: hide(value) for name, value in exchange.headers.items()},
            "body": hide(exchange.body.decode("utf-8", "replace")),
            "ending": exchange.ending,
        }
        self._append(json.dumps(record, ensure_ascii=False) + "\n")

    def _append(self, line: str) -> None:
        try:
            with self._lock, self._path.open("ab") as file:
                size = file.tell()
                try:
                    file.write(line.encode())
                    file.flush()
                except OSError:
                    os.truncate(self._path, size)  # a part of a line could not be played
                    raise
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}; expected a file for --record") from None


class Cassette:
    """Plays the exchanges of a file in their order, for a `ModelServer`.

    A request that is not the one in its place is an error that names the place. One whose instructions or text of
    train.py were others is played all the same, and `note` is told once.

    Raises:
        InputError: The file cannot be read, or is no cassette.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda _: None) -> None:
        self._path, self._note = path, note
        self._exchanges = _read(path)
        self._position, self._has_noted = 0, False

    @property
    def model(self) -> str:
        """The model that was recorded."""
        return self._exchanges[0].model

    @property
    def effort(self) -> str | None:
        """The effort that it was asked for; requests that only count tokens do not say."""
        return next((exchange.effort for exchange in self._exchanges if exchange.path == MESSAGES), None)

    def __call__(self, asked: Asked) -> Played:
        """The response to a request."""
        wanted, number = Exchange.of(asked.path, asked.body), self._position + 1
        if self._position == len(self._exchanges):
            return _refused(f"all that {self._path} holds was played")
        recorded = self._exchanges[self._position]
        if recorded.request != wanted.request:
            return _refused(
                f"request {number} is not the one that was recorded as line {number} of {self._path}: "
                f"expected {_described(recorded)}, got {_described(wanted)}; "
                "a cassette plays with one worker, in a study of its own, with the flags that it was recorded with"
            )
        if recorded.prefix != wanted.prefix and not self._has_noted:
            self._has_noted = True
            self._note(
                f"the replies of {self._path} from line {number} on were made for other instructions or another "
                "train.py: they are played in their order, and edits may not apply"
            )
        self._position += 1
        return Played(
            recorded.status,
            recorded.headers,
            (bytes(recorded.body),),
            is_cut=recorded.ending == "cut",
            is_silent=recorded.ending == "silent",
        )


def _read(path: Path) -> Sequence[Exchange]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read {path}: {why}; expected a file that --record has written") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise InputError(f"{path} holds no replies: expected a file that --record has written")
    return [_exchange(f"{path} line {number}", line) for number, line in lines]


def _exchange(where: str, line: str) -> Exchange:
    try:
        record = json.loads(line)
        exchange = Exchange(
            path=record["path"],
            model=record["model"],
            effort=record["effort"],
            request=record["request"],
            prefix=record["prefix"],
            status=record["status"],
            headers=record["headers"],
            body=bytearray(record["body"].encode()),
            ending=record["ending"],
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise InputError(f"{where} is no recorded reply: expected a line that --record has written") from None
    if record.get("version") != _VERSION:
        raise InputError(f"{where} has the version {record.get('version')!r}: expected {_VERSION}; record it anew")
    texts = (exchange.path, exchange.model, exchange.request, exchange.prefix)
    sound = (
        all(isinstance(text, str) for text in texts)
        and isinstance(exchange.status, int)
        and isinstance(exchange.headers, dict)
        and all(name in _KEPT and _is_header(value) for name, value in exchange.headers.items())
        and exchange.ending in _ENDINGS
    )
    if not sound:
        raise InputError(f"{where} is no recorded reply: expected a line that --record has written")
    return exchange


def _is_header(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _refused(message: str) -> Played:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    # Gone: a status that speaks against no conversation and no way of counting, but ends the asking.
    return Played(410, {"content-type": "application/json"}, (json.dumps(body).encode(),))


def _described(exchange: Exchange) -> str:
    effort = f", effort {exchange.effort}" if exchange.effort else ""
    return f"{exchange.path} for {exchange.model}{effort} [{exchange.request[:8]}]"


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _texts(holder: Mapping[str, Any], cached: bool = False) -> list[str]:
    """The texts of a message, or of the system's part of a request."""
    blocks = _objects(holder.get("content", holder.get("system")))
    return [str(block.get("text")) for block in blocks if "cache_control" in block or not cached]


def _last_heading(texts: Sequence[str]) -> str:
    """Of the last of some texts in Markdown; empty where it has none."""
    lines = texts[-1].splitlines() if texts else []
    return next((line for line in reversed(lines) if line.startswith("# ")), "")


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:32]
