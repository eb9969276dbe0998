"""A real HTTP server on this machine that speaks the Messages API and says what it is told to say.

Tests talk to it in place of Anthropic's, and a recorded night is played from it: what the editor, the SDK and the
sockets do is what they do with the real one. `script.py` has replies to be played, `cassette.py` recorded ones.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from .messages import MESSAGES


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]  # names in small letters
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Played:
    """A response as it is sent."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    is_cut: bool = False  # the connection ends after the chunks, before the response has
    is_silent: bool = False  # ... without a response at all
    is_held: bool = False  # nothing is sent until `release`
    held_after: int | None = None  # ... or nothing more after so many chunks


class ModelServer:
    """Answers each request with what `play` returns for it; one at a time, in the order of their arrival.

    A context manager. `requests` holds what has been asked, count_tokens included.
    """

    def __init__(self, play: Callable[[Asked], Played]) -> None:
        self._play, self._lock = play, threading.Lock()
        self._released = threading.Event()
        self.requests: list[Asked] = []
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.answer, self._http.released, self._http.faults = self._answer, self._released, []
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="model-server", daemon=True)

    @property
    def url(self) -> str:
        """For `base_url`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def asked(self, path: str = MESSAGES) -> list[Asked]:
        """The requests to one of the two addresses."""
        return [request for request in self.requests if request.path == path]

    def release(self) -> None:
        """Let the responses go that are held."""
        self._released.set()

    def start(self) -> Self:
        """Listen; `close` ends it."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End, after the responses under way; raises what went wrong in `play`."""
        self.release()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        if self._http.faults:
            raise self._http.faults[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, asked: Asked) -> Played:
        with self._lock:
            self.requests.append(asked)
            return self._play(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them: none is left behind with an open socket
    answer: Callable[[Asked], Played]
    released: threading.Event
    faults: list[BaseException]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked may hang up, as a client with a time-out does; what else goes wrong is kept for `close`."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.faults.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self.close_connection = True  # one request a connection: a server that ends waits for no idle client
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            content = json.loads(body)
        except ValueError:
            content = {}
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        played = self.server.answer(Asked(path, headers, content if isinstance(content, dict) else {}))
        if played.is_held:
            self.server.released.wait()
        if not played.is_silent:
            self._send(played)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name in the standard library
        """Keep quiet."""

    def _send(self, played: Played) -> None:
        self.send_response(played.status)
        for name, value in {**played.headers, "transfer-encoding": "chunked", "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        for number, chunk in enumerate(filter(None, played.chunks)):
            if number == played.held_after:
                self.server.released.wait()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if not played.is_cut:
            self.wfile.write(b"0\r\n\r\n")
