"""Asking a language model for money: each request is written down before it is sent, and what came of it after.

What a request may cost at most is reserved first, so the sum of all requests never crosses the cap, and a worker that
dies in between leaves a request that is counted and not a hole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from autoresearch.errors import AutoresearchError

from ..model.client import Client
from ..model.errors import ModelError, ModelMisused, ModelRefused, ModelUnavailable
from ..model.messages import Answer, Message, Part
from ..model.prices import Price, cost, worst_case
from ..records import Purpose, RequestRecord
from .editor import EditorSpentError, EditorUnavailableError

# Statuses that tell of the request and not of the key, the account or the model's name: over the context, too large, filtered.
_OF_THE_REQUEST = (400, 413, 422)
_SETTLED = 60.0  # seconds, after which other workers' requests may have come to an end


class RequestBook(Protocol):
    """Where requests are written down; a study's `ledger.requests` is one."""

    def reserve(self, request: RequestRecord, cap: Decimal | None) -> str | None:
        """Write a request down before it is sent; None if it could cost more than is left."""

    def answered(
        self, request: str, reply: str, *, cost_usd: Decimal, usage: Mapping[str, Any], stop_reason: str
    ) -> bool:
        """Write an answer down."""

    def failed(
        self, request: str, error: str, *, cost_usd: Decimal | None, usage: Mapping[str, Any] | None = None
    ) -> bool:
        """Write down why there is no answer; without a cost, what was reserved stays counted."""

    def mark_used(self, draft: str) -> None:
        """Write down that nothing more will come of a draft."""

    def resumable(self, worker: str, purpose: Purpose = Purpose.EDIT) -> list[str]:
        """The answered drafts that nothing has come of yet and that this worker may go on with."""

    def take(self, draft: str, worker: str) -> tuple[RequestRecord, ...]:
        """Make one of them this worker's; its whole conversation, or nothing if another worker was faster."""

    def spent(self) -> Decimal:
        """What all requests cost."""

    def settled(self) -> Decimal:
        """The same without those that are under way."""


@dataclass(frozen=True)
class Said:
    """What is sent: the part that stays, and the conversation."""

    system: tuple[Part, ...]
    messages: tuple[Message, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """As it is written down: the part that stays as a turn of its own."""
        system = {"role": "system", "content": [part.as_json() for part in self.system]}
        return [system, *(message.as_json() for message in self.messages)]


class PaidModel:
    """A language model, its price, and the book in which each request stands.

    Args:
        client: Asks.
        price: Of the client's model.
        book: The study's.
        worker: Who asks, as the study's leases know it now: a worker that was taken for dead goes on under another name.
        cap: Dollars that all requests of the study together may cost; None for no limit.
    """

    def __init__(
        self, client: Client, price: Price, book: RequestBook, worker: Callable[[], str], cap: Decimal | None
    ) -> None:
        self.book, self._worker = book, worker
        self._client, self._price, self._cap = client, price, cap

    @property
    def worker(self) -> str:
        """Who asks."""
        return self._worker()

    def close(self) -> None:
        """Break off what is under way."""
        self._client.close()

    def ask(
        self, draft: str, purpose: Purpose, program: str, said: Said, notes: Sequence[Mapping[str, Any]] = ()
    ) -> Answer:
        """The answer to a request, paid for and written down.

        Args:
            draft: The conversation that it belongs to.
            purpose: What it asks for.
            program: sha256 of the instructions.
            said: What is sent.
            notes: Further records that are written down with what is sent.

        Raises:
            EditorUnavailableError: The model cannot be had now.
            EditorSpentError: The money is spent, or the model cannot be had at all.
            ModelRefused: The model declines.
            ModelMisused: The conversation has come to where the server does not go on with it; another one it may.
        """
        request, reserved = self._reserve(draft, purpose, program, said, notes)
        try:
            answer = self._client.ask(said.system, said.messages)
        except ModelError as error:
            usage = None if error.usage is None else error.usage.as_json()
            self.book.failed(request, str(error), cost_usd=self._cost_of(error), usage=usage)
            raise _for_the_caller(error, said) from None
        self.book.answered(
            request,
            answer.text,
            cost_usd=reserved if answer.usage is None else cost(self._price, answer.usage),
            usage={} if answer.usage is None else answer.usage.as_json(),
            stop_reason=answer.stop_reason,
        )
        return answer

    def _reserve(
        self, draft: str, purpose: Purpose, program: str, said: Said, notes: Sequence[Mapping[str, Any]]
    ) -> tuple[str, Decimal]:
        messages = [*notes, *said.as_json()]
        free = RequestRecord(draft, purpose, self._client.model, program, messages, Decimal(0), self.worker)
        try:
            tokens = self._client.count_tokens(said.system, said.messages)
        except (ModelUnavailable, ModelMisused) as error:
            if (failed := self.book.reserve(free, None)) is not None:  # it was not sent, and the account says why
                self.book.failed(failed, str(error), cost_usd=Decimal(0))
            raise _for_the_caller(error, said) from None
        reserved = worst_case(self._price, tokens, self._client.max_tokens)
        request = self.book.reserve(replace(free, reserved_usd=reserved), self._cap)
        if request is None:
            if self._cap is not None and self.book.settled() + reserved <= self._cap:
                raise EditorUnavailableError("what other requests may cost is reserved, and not known yet", _SETTLED)
            raise EditorSpentError(
                f"--max-cost {self._cap}: ${self.book.spent():.4f} are spent or reserved, and the next request may cost "
                f"up to ${reserved:.4f}"
            )
        return request, reserved

    def _cost_of(self, error: ModelError) -> Decimal | None:
        """What a request without an answer cost, or the most that it can have; None: all that was reserved."""
        if not error.may_cost:
            return Decimal(0) if error.usage is None else cost(self._price, error.usage)
        if error.usage is None:
            return None
        # What it wrote after the connection was lost is not known, and charged all the same.
        return cost(self._price, replace(error.usage, output_tokens=self._client.max_tokens))


def _for_the_caller(error: ModelError, said: Said) -> AutoresearchError:
    """What a failure means for who asked: something for this conversation, for now, or for the rest of the run."""
    match error:
        case ModelUnavailable():
            return EditorUnavailableError(str(error), error.retry_after)
        case ModelRefused():
            return error
        # Where the first request is not accepted none will be; a later one may just have grown too long.
        case ModelMisused() if error.status in _OF_THE_REQUEST and len(said.messages) > 1:
            return error
    return EditorSpentError(str(error))
