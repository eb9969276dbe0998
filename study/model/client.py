"""One request to a language model, through Anthropic's own SDK: streamed, and asked again while that helps and costs nothing.

The SDK's retries are off. It would try again what may already have been charged (a stream that broke, a time-out), and
between its tries nobody could look. Here a request is repeated only where the server said no before the model began;
whatever may cost money goes back to the caller, who has to reserve the money anew.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .access import Access
from .cassette import Recorder
from .errors import ModelMisused, ModelRefused, ModelUnavailable
from .failures import ASK_AGAIN, BrokenReplyError, PassingError, of_report, one_line
from .incoming import GarbledReplyError, Incoming, ReportedError
from .messages import COUNT_TOKENS, MESSAGES, Answer, Message, Part
from .prices import longest_reply
from .wire import Wire

_SILENCE = 300.0  # seconds; the real server sends a ping every few
_LONGEST = 1800.0  # seconds
_PATIENCE = 120.0  # seconds
_TRIES = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds
_NO_COUNTING = (400, 404, 405, 422, 501)  # what servers answer that have no count_tokens
_BETWEEN = 16  # tokens that a server may put around a piece of text

Result = TypeVar("Result")


class Client:
    """Asks one model; `close` gives its connections back.

    Args:
        model: As the provider calls it.
        access: Where it is, and the key.
        effort: low to max; None leaves it to the model.
        max_tokens: The longest reply, thinking included; None for what goes with the effort.
        silence: Seconds without a byte after which the connection is given up.
        longest: Seconds that a whole reply may take.
        patience: Seconds that may be spent waiting between tries.
        sleep: Waits for so many seconds; by default until the client is closed, if that is sooner.
        now: A clock, in seconds.
        note: Is told what the user should know: why a request is tried again, once until there is a reply, and that recording
            has ended.
        recorder: Writes down what the server says.
    """

    def __init__(
        self,
        model: str,
        access: Access,
        *,
        effort: str | None = None,
        max_tokens: int | None = None,
        silence: float = _SILENCE,
        longest: float = _LONGEST,
        patience: float = _PATIENCE,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], float] = time.monotonic,
        note: Callable[[str], None] = lambda _: None,
        recorder: Recorder | None = None,
    ) -> None:
        self.model, self.effort = model, effort
        self.max_tokens = longest_reply(effort) if max_tokens is None else max_tokens
        self._wire = Wire(access, silence, longest, now, recorder, note)
        self._closed = threading.Event()
        self._patience, self._sleep, self._note = patience, sleep or self._closed.wait, note
        self._has_complained = False

    def __repr__(self) -> str:
        return f"Client({self.model!r}, {self.host!r})"

    @property
    def host(self) -> str:
        """The server's name."""
        return self._wire.host

    def ask(self, system: Sequence[Part], messages: Sequence[Message]) -> Answer:
        """The model's reply.

        Raises:
            ModelUnavailable: It cannot be had now.
            ModelRefused: The model declines.
            ModelMisused: The request, the key or the model's name is wrong.
        """
        body = self._body(system, messages) | {"max_tokens": self.max_tokens}
        if self.effort is not None:
            body["output_config"] = {"effort": self.effort}
        return self._patiently(lambda: self._reply(body))

    def count_tokens(self, system: Sequence[Part], messages: Sequence[Message]) -> int:
        """How many tokens a request has; the bytes of its text where the server does not count: never fewer.

        Raises:
            ModelUnavailable: The server cannot be had now.
            ModelMisused: The key is refused.
        """
        count = self._patiently(lambda: self._counted(self._body(system, messages)))
        if count is not None:
            return count
        texts = [part.text for part in [*system, *(part for message in messages for part in message.parts)]]
        return sum(len(text.encode()) for text in texts) + _BETWEEN * (len(texts) + 1)

    def close(self) -> None:
        """Break off the request that another thread may have under way, send no other, and give the connections back."""
        self._wire.close()
        self._closed.set()

    def _body(self, system: Sequence[Part], messages: Sequence[Message]) -> dict[str, Any]:
        said = {"model": self.model, "messages": [message.as_json() for message in messages]}
        return said | {"system": [part.as_json() for part in system]} if system else said

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        """Try until it succeeds, or waiting is pointless."""
        waited, pause = 0.0, _FIRST_PAUSE
        for tries in range(1, _TRIES + 1):
            try:
                return attempt()
            except PassingError as passing:
                wait = pause if passing.retry_after is None else max(passing.retry_after, 1.0)
                if tries == _TRIES or waited + wait > self._patience:
                    tried = f" ({tries} tries in {waited:.0f} s)" if tries > 1 else ""
                    after = max(wait, ASK_AGAIN) if passing.retry_after is None else wait
                    raise ModelUnavailable(f"{passing}{tried}", after) from None
                if not self._has_complained:
                    self._has_complained = True
                    self._note(f"{passing}; once more in {wait:.0f} s")
                self._sleep(wait)
                if self._closed.is_set():
                    raise ModelUnavailable(
                        f"{passing}; the worker ended before it was tried again", ASK_AGAIN
                    ) from None
                waited, pause = waited + wait, min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("the last try returns or raises")

    def _reply(self, body: Mapping[str, Any]) -> Answer:
        """One try."""
        incoming, request_id = Incoming(), ""

        def read(headers: Mapping[str, str], chunks: Iterable[bytes]) -> None:
            nonlocal request_id
            request_id = headers.get("request-id", "")
            is_json = headers.get("content-type", "").startswith("application/json")  # from servers that do not stream
            (incoming.take_whole if is_json else incoming.take_stream)(chunks)

        broken = ""
        try:
            self._wire.exchange(MESSAGES, {**body, "stream": True}, read)
        except ReportedError as error:
            raise of_report(error, incoming, self._wire.hidden(str(error)), self.host) from None
        except GarbledReplyError as error:
            broken = f"what {self.host} sends is no reply: {error}"
        except BrokenReplyError as error:
            broken = str(error)
        if not (broken or incoming.stop_reason):
            broken = f"the reply of {self.host} broke off before its end"
        if broken:
            raise ModelUnavailable(one_line(self._wire.hidden(broken)), ASK_AGAIN, incoming.usage, may_cost=True)
        self._has_complained = False
        if incoming.stop_reason == "refusal":
            why = one_line(self._wire.hidden(incoming.refusal))
            reason = "the model declined to answer" + (f" ({why})" if why else "")
            raise ModelRefused(reason, incoming.usage, may_cost=incoming.usage is None)
        answer = incoming.answer(request_id)
        return replace(answer, text=self._wire.hidden(answer.text), stop_reason=self._wire.hidden(answer.stop_reason))

    def _counted(self, body: Mapping[str, Any]) -> int | None:
        """One try; None when the server cannot count."""
        received = bytearray()
        try:
            self._wire.exchange(COUNT_TOKENS, body, lambda _, chunks: received.extend(b"".join(chunks)))
            count = json.loads(received)["input_tokens"]
        except ModelMisused as error:
            if error.status in _NO_COUNTING:
                return None
            raise
        except BrokenReplyError as error:
            raise PassingError(str(error)) from None  # to count costs nothing
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return count if isinstance(count, int) and count > 0 else None
