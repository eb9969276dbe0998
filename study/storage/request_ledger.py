"""The part of a study's ledger that is about language models: what was asked, what it cost, what was learned.

A thin shell like `Ledger`, whose `requests` it is: every operation is retried through outages and may be repeated.

The observer is called with `request:sent`, `request:answered`, `request:failed`, `request:used`, `request:taken` and
`lessons` after the write that each names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from ..records import Lessons, Purpose, RequestRecord
from . import lessons, proposals, requests
from .books import Books

T = TypeVar("T")


class Patiently(Protocol):
    """Runs an operation through outages."""

    def __call__(self, operation: Callable[[], T]) -> T:
        """What the operation returns."""


class RequestLedger:
    """All reads and writes of one study's requests to language models."""

    def __init__(self, books: Books, run: Patiently) -> None:
        self._books, self._run = books, run

    def reserve(self, request: RequestRecord, cap: Decimal | None) -> str | None:
        """Write a request down before it is sent; returns its id, or None if it could cost more than is left.

        Args:
            request: What will be asked; its place in the draft is found here.
            cap: What all requests of the study together may cost; None for no limit.
        """
        return self._run(lambda: requests.reserve(self._books, request, cap))

    def answered(
        self, request: str, reply: str, *, cost_usd: Decimal, usage: Mapping[str, Any], stop_reason: str
    ) -> bool:
        """Write an answer down as soon as it is there; False if the request was written down as failed before.

        Also that of a request that was taken for lost: its cost is then known after all.
        """
        return self._run(lambda: requests.answered(self._books, request, reply, cost_usd, usage, stop_reason))

    def failed(
        self, request: str, error: str, *, cost_usd: Decimal | None, usage: Mapping[str, Any] | None = None
    ) -> bool:
        """Write down why there is no answer; False if the request was answered.

        Args:
            request: Its id.
            error: One line.
            cost_usd: What was paid all the same, 0 where it was refused at once; None where that cannot be known: what
                was reserved stays counted.
            usage: Of what did come.
        """
        return self._run(lambda: requests.failed(self._books, request, error, cost_usd, usage or {}))

    def mark_used(self, draft: str) -> None:
        """Write down that nothing more will come of a draft. `propose` and `add_lessons` do so with what they write."""
        self._run(lambda: requests.mark_used(self._books, draft))

    def resumable(self, worker: str, purpose: Purpose = Purpose.EDIT) -> list[str]:
        """The drafts that this worker can go on with, oldest first: answered, not used, its own or a dead worker's.

        Its own are those that it left, not one that it is at: whoever asks knows that it is at none.
        """
        return self._run(lambda: requests.resumable(self._books, worker, purpose))

    def take(self, draft: str, worker: str) -> tuple[RequestRecord, ...]:
        """Make a resumable draft this worker's; its whole conversation, or nothing if another worker was faster."""
        return self._run(lambda: requests.take(self._books, draft, worker))

    def conversation(self, draft: str) -> tuple[RequestRecord, ...]:
        """The requests of a draft with all their texts, in their order."""
        return self._run(lambda: requests.conversation(self._books, draft))

    def spent(self) -> Decimal:
        """What all requests cost; where that is not known, what was reserved for them."""
        return self._run(lambda: requests.spent(self._books))

    def settled(self) -> Decimal:
        """The same without the requests that are under way."""
        return self._run(lambda: requests.settled(self._books))

    def history(self) -> list[RequestRecord]:
        """All requests, oldest first, each without its messages and its reply."""
        return self._run(lambda: requests.history(self._books))

    def programs(self) -> dict[str, str]:
        """For each edit's key the sha256 of the instructions that it was made with, where there were any."""
        return self._run(lambda: proposals.programs(self._books))

    def add_lessons(self, text: str, trials_seen: int, *, draft: str | None = None) -> None:
        """Write down what a model has learned from so many trials; the draft that it came of is used."""
        self._run(lambda: lessons.add(self._books, text, trials_seen, draft))

    def latest_lessons(self) -> Lessons | None:
        """The newest lessons."""
        return self._run(lambda: lessons.latest(self._books))
