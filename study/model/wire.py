"""One exchange with the server by the official SDK, whose import takes a second and a half and so waits for the first.

What leaves this file are our own errors, which hold neither the key nor a request that holds it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any

from autoresearch.errors import InputError

from .access import Access
from .cassette import Exchange, Recorder
from .errors import ModelMisused, ModelUnavailable
from .failures import ASK_AGAIN, BrokenReplyError, PassingError, of_status
from .messages import MESSAGES

if TYPE_CHECKING:
    import anthropic
    import httpx2

    Response = anthropic.APIResponse[Any]

_CONNECTING = 10.0  # seconds; whoever does not answer the door by then is not there

Read = Callable[[Mapping[str, str], Iterable[bytes]], None]  # is given the headers and the body of a good response


class Wire:
    """Sends requests.

    Args:
        access: Where to, and the key.
        silence: Seconds without a byte after which a connection is given up.
        longest: Seconds that a whole response may take.
        now: A clock, in seconds.
        recorder: Writes down what the server says.
        note: Is told when that is no longer possible.
    """

    def __init__(
        self,
        access: Access,
        silence: float,
        longest: float,
        now: Callable[[], float] = time.monotonic,
        recorder: Recorder | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._access, self._recorder, self._note = access, recorder, note
        self._silence, self._longest, self._now = silence, longest, now
        self._sdk: anthropic.Anthropic | None = None
        self._connections: list[socket.socket] = []
        self._is_closed = False

    def exchange(self, path: str, body: Mapping[str, Any], read: Read) -> None:
        """Send a request and have its response read while it comes.

        Raises:
            PassingError: Nothing has been charged, and a later try may succeed.
            BrokenReplyError: The connection was lost after the request had gone out, or the model kept a gateway waiting.
            ModelMisused: The server does not accept the request.
        """
        import anthropic
        import httpx2

        if self._is_closed:
            raise ModelUnavailable(f"{self.host} is not asked any more: the worker is about to end", ASK_AGAIN)
        record, was_heard = Exchange.of(path, body), True
        try:
            with self._send(path, body) as response:
                headers = _plain(response.headers)
                record.begin(response.status_code, headers)
                read(headers, self._watched(record, response.iter_bytes()))
        except anthropic.APIStatusError as error:
            text = _text(error.response)
            record.complete(error.status_code, _plain(error.response.headers), text)
            said = error.api_message if isinstance(error.api_message, str) else text
            raise of_status(error.status_code, _plain(error.response.headers), self.hidden(said), self.host) from None
        except (anthropic.APIConnectionError, httpx2.HTTPError, httpx2.StreamError) as error:
            lost = self._lost(error.__cause__ or error)
            was_heard = isinstance(lost, BrokenReplyError)
            raise lost from None
        finally:
            if was_heard:
                self._write_down(record)

    @property
    def host(self) -> str:
        """The server's name."""
        return self._access.host

    def hidden(self, text: str) -> str:
        """A text without the key."""
        return self._access.hide(text)

    def close(self) -> None:
        """Break off the request that another thread may have under way, send no other, and give the connections back."""
        self._is_closed = True
        for connection in self._connections:
            _shut(connection)
        if self._sdk is not None:
            self._sdk.close()

    def _write_down(self, exchange: Exchange) -> None:
        """Record an exchange; where that fails, go on without: what it holds has been paid for."""
        if self._recorder is None:
            return
        try:
            self._recorder.write(exchange, self._access.hide)
        except InputError as error:
            self._recorder = None
            self._note(f"{error}. What the model says is recorded no more, up to here the file can be played")

    def _send(self, path: str, body: Mapping[str, Any]) -> AbstractContextManager[Response]:
        messages = self._client().messages.with_streaming_response
        response: AbstractContextManager[Response] = (
            messages.create(**body) if path == MESSAGES else messages.count_tokens(**body)
        )
        return response

    def _client(self) -> anthropic.Anthropic:
        """The SDK's client; always told what to sign in with, so that it looks for nothing elsewhere."""
        if self._sdk is None:
            import anthropic
            import httpx2

            access = self._access
            timeout = anthropic.Timeout(self._silence, connect=min(self._silence, _CONNECTING))
            # No redirects: one to another host would take the key there.
            options: dict[str, Any] = {"timeout": timeout, "follow_redirects": False}
            options["event_hooks"] = {"request": [self._watch_connections]}
            http_client = (
                httpx2.Client(**options, trust_env=False)  # no proxy leads to this machine itself
                if access.is_local
                else anthropic.DefaultHttpxClient(**options)
            )
            self._sdk = anthropic.Anthropic(
                api_key=access.api_key or ("none" if access.auth_token is None else None),
                auth_token=access.auth_token,
                base_url=access.base_url or "https://api.anthropic.com",
                max_retries=0,
                timeout=timeout,
                http_client=http_client,
            )
        return self._sdk

    def _watch_connections(self, request: httpx2.Request) -> None:
        """Have each connection kept where `close` finds it: to close what another thread reads from does not wake it."""

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                connection = info["return_value"].get_extra_info("socket")
                self._connections = [*(known for known in self._connections if known.fileno() >= 0), connection]
                if self._is_closed:
                    _shut(connection)

        request.extensions = {**request.extensions, "trace": trace}

    def _watched(self, record: Exchange, chunks: Iterable[bytes]) -> Iterator[bytes]:
        end = self._now() + self._longest
        for chunk in chunks:
            record.add(chunk)
            if self._now() > end:
                raise BrokenReplyError(f"the reply of {self.host} took longer than {self._longest:g} s")
            yield chunk
        record.end()

    def _lost(self, error: BaseException) -> PassingError | BrokenReplyError | ModelMisused:
        import httpx2

        match error:
            case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
                return PassingError(f"no connection to {self.host} in time")
            case httpx2.ConnectError() | httpx2.ProxyError():
                return PassingError(f"no connection to {self.host} ({self.hidden(str(error))})")
            case httpx2.TimeoutException():
                return BrokenReplyError(f"no word from {self.host} for {self._silence:g} s")
            case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
                return ModelMisused(
                    f"{self.host} cannot be asked ({self.hidden(str(error))}); check ANTHROPIC_BASE_URL"
                )
        if self._is_closed:
            return BrokenReplyError(f"the worker ended before the reply of {self.host}")
        return BrokenReplyError(f"the connection to {self.host} was lost ({type(error).__name__})")


def _shut(connection: socket.socket) -> None:
    """Wake whoever waits for a connection."""
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _text(response: Any) -> str:
    """The body of an error, if it came."""
    try:
        text: str = response.text
    except Exception as error:  # noqa: BLE001 -- not read, or no text: the status says enough
        return f"({type(error).__name__})"
    return text
