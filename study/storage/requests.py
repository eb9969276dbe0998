"""Requests to language models: each is written down before it is sent and when it ended, so that none is paid for twice.

What a request may cost at most is reserved, and counts as spent until its cost is known; for ever if its worker dies
before. A draft is one attempt at an edit: one conversation, held by one worker. An answer that nothing came of yet is
resumed, by that worker or after its death by another, instead of being asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, defer

from ..records import Purpose, RequestRecord, RequestState
from . import leases
from .books import Books
from .models import LeaseRow, RequestRow, StudyRow
from .money import rounded_up
from .plain import printable, printable_json

_UNDER_WAY = (RequestState.SENT, RequestState.LOST)  # of one that was given up the answer may still come


def reserve(books: Books, request: RequestRecord, cap: Decimal | None) -> str | None:
    """Write a request down before it is sent, if what it may cost still fits under the cap."""
    with books.db.transaction() as session:
        # On PostgreSQL the study's row is the lock, so that two workers do not both fit; on SQLite the transaction is.
        if session.get(StudyRow, books.id, with_for_update={"key_share": True}) is None:
            raise KeyError(books.id)
        if session.get(RequestRow, request.id) is None:  # else this is the second time, after an outage
            if cap is not None and _spent(session, books.id) + rounded_up(request.reserved_usd) > cap:
                return None
            session.add(_new_row(session, books, request))
    books.observe("request:sent")
    return request.id


def answered(
    books: Books, request: str, reply: str, cost_usd: Decimal, usage: Mapping[str, Any], stop_reason: str
) -> bool:
    """Write an answer down."""
    with books.db.transaction() as session:
        row = _row_of(session, books, request)
        if row.state not in _UNDER_WAY:
            return row.state == RequestState.ANSWERED and row.reply == printable(reply)
        row.state, row.reply, row.stop_reason = RequestState.ANSWERED, printable(reply), printable(stop_reason)
        row.cost_usd, row.usage = cost_usd, printable_json(usage)
        row.answered_at = books.db.clock(session)
    books.observe("request:answered")
    return True


def failed(books: Books, request: str, error: str, cost_usd: Decimal | None, usage: Mapping[str, Any]) -> bool:
    """Write down that there will be no answer; without a cost what was reserved stays counted."""
    with books.db.transaction() as session:
        row = _row_of(session, books, request)
        if row.state not in _UNDER_WAY:
            return row.state == RequestState.FAILED
        row.state, row.error = RequestState.FAILED, printable(error)
        row.cost_usd, row.usage = cost_usd, printable_json(usage)
        row.answered_at = books.db.clock(session)
    books.observe("request:failed")
    return True


def mark_used(books: Books, draft: str) -> None:
    """Write down that a draft has led to all that it will lead to."""
    with books.db.transaction() as session:
        use(session, books.id, draft)
    books.observe("request:used")


def use(session: Session, study: str, draft: str) -> None:
    """The same, within the transaction that writes down what it led to."""
    mine = (RequestRow.study == study, RequestRow.draft == draft, RequestRow.used.is_(False))
    session.execute(update(RequestRow).where(*mine).values(used=True))


def mark_lost(books: Books) -> list[RequestRecord]:
    """Give up the requests that dead workers were waiting for."""
    with books.db.transaction() as session:
        waiting = (RequestRow.study == books.id, RequestRow.state == str(RequestState.SENT))
        query = select(RequestRow).where(*waiting, ~leases.leased(RequestRow.worker)).with_for_update()
        rows = session.scalars(query.order_by(RequestRow.created_at, RequestRow.id)).all()
        for row in rows:
            row.state = RequestState.LOST
    if rows:
        books.observe("reconcile:requests")
    return [_record(row) for row in rows]


def resumable(books: Books, worker: str, purpose: Purpose) -> list[str]:
    """Drafts begun for this purpose, with an answer that nothing came of, that no other living worker holds."""
    drafts: dict[str, list[RequestRecord]] = {}
    for request in history(books):
        drafts.setdefault(request.draft, []).append(request)
    with books.db.read() as session:
        alive = set(session.scalars(select(LeaseRow.worker).where(LeaseRow.study == books.id)))
    return [
        draft
        for draft, requests in drafts.items()
        if requests[0].purpose is purpose and _is_open(requests) and not _holders(requests, worker) & alive
    ]


def take(books: Books, draft: str, worker: str) -> tuple[RequestRecord, ...]:
    """Make a draft this worker's, unless another one that is alive has it, or it was used; its whole conversation."""
    with books.db.transaction() as session:
        rows = _conversation(session, books.id, draft, lock=True)
        records = [_record(row) for row in rows]
        holders = _holders(records, worker)
        if not _is_open(records) or session.scalar(
            select(LeaseRow.worker).where(LeaseRow.worker.in_(holders)).limit(1)
        ):
            return ()
        for row in rows:
            row.worker = worker
            if row.state == RequestState.SENT:  # nobody waits for it any more
                row.state = RequestState.LOST
        taken = tuple(_record(row) for row in rows)
    books.observe("request:taken")
    return taken


def conversation(books: Books, draft: str) -> tuple[RequestRecord, ...]:
    """The requests of a draft, in their order."""
    with books.db.read() as session:
        return tuple(_record(row) for row in _conversation(session, books.id, draft, lock=False))


def spent(books: Books) -> Decimal:
    """The sum of all requests."""
    with books.db.read() as session:
        return _spent(session, books.id)


def settled(books: Books) -> Decimal:
    """The same without those that are under way, whose cost will be known."""
    with books.db.read() as session:
        return _spent(session, books.id, RequestRow.state != RequestState.SENT)


def history(books: Books) -> list[RequestRecord]:
    """All requests in the order in which they were sent, each without its messages and its reply: those are long."""
    with books.db.read() as session:
        query = (
            select(RequestRow)
            .where(RequestRow.study == books.id)
            .options(defer(RequestRow.messages), defer(RequestRow.reply))
        )
        rows = session.scalars(query.order_by(RequestRow.created_at, RequestRow.draft, RequestRow.position))
        return [_record(row, texts=False) for row in rows]


def _spent(session: Session, study: str, *which: ColumnElement[bool]) -> Decimal:
    each = func.coalesce(RequestRow.cost_usd, RequestRow.reserved_usd)
    return session.scalar(select(func.sum(each)).where(RequestRow.study == study, *which)) or Decimal(0)


def _is_open(requests: Sequence[RequestRecord]) -> bool:
    """Whether something can still be made of a draft: it has an answer, and is not used."""
    answered_ones = any(request.state is RequestState.ANSWERED for request in requests)
    return answered_ones and not any(request.used for request in requests)


def _holders(requests: Sequence[RequestRecord], worker: str) -> set[str]:
    """The workers, other than this one, that hold or held requests of a draft."""
    return {request.worker for request in requests} - {worker}


def _conversation(session: Session, study: str, draft: str, *, lock: bool) -> Sequence[RequestRow]:
    query = select(RequestRow).where(RequestRow.study == study, RequestRow.draft == draft)
    query = query.order_by(RequestRow.position)
    return session.scalars(query.with_for_update() if lock else query).all()


def _row_of(session: Session, books: Books, request: str) -> RequestRow:
    row = session.get(RequestRow, request, with_for_update=True)
    if row is None or row.study != books.id:
        raise KeyError(request)  # requests go only with their study
    return row


def _new_row(session: Session, books: Books, request: RequestRecord) -> RequestRow:
    before = select(func.count()).select_from(RequestRow)
    messages = printable_json(request.messages)
    return RequestRow(
        id=request.id,
        study=books.id,
        draft=request.draft,
        position=session.scalar(before.where(RequestRow.study == books.id, RequestRow.draft == request.draft)),
        purpose=request.purpose,
        state=RequestState.SENT,
        used=False,
        reserved_usd=request.reserved_usd,
        worker=request.worker,
        created_at=books.db.clock(session),
        model=printable(request.model),
        program=request.program,
        prompt_sha256=hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest(),
        stop_reason="",
        usage={},
        error="",
        reply="",
        messages=messages,
    )


def _record(row: RequestRow, *, texts: bool = True) -> RequestRecord:
    return RequestRecord(
        draft=row.draft,
        purpose=Purpose(row.purpose),
        model=row.model,
        program=row.program,
        messages=tuple(row.messages) if texts else (),
        reserved_usd=row.reserved_usd,
        worker=row.worker,
        id=row.id,
        position=row.position,
        prompt_sha256=row.prompt_sha256,
        state=RequestState(row.state),
        used=row.used,
        reply=row.reply if texts else "",
        stop_reason=row.stop_reason,
        usage=dict(row.usage),
        cost_usd=row.cost_usd,
        error=row.error,
        created_at=row.created_at,
        answered_at=row.answered_at,
    )
