"""Leases: which worker processes are alive.

A lease runs out by the database's clock unless it is renewed. On the worker's own host its process tells more: one that
is gone is dead at once, and one that is there is given an hour, because a busy disk or a database that was away can
keep a living worker from renewing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from autoresearch.errors import StudyError

from . import processes
from .books import Books
from .database import Database, rows_changed
from .models import LeaseRow, RunRow

TTL_SECONDS = 180.0
_HUNG_SECONDS = 3600.0


class Phase(StrEnum):
    """What a worker is at."""

    SEARCH = "search"
    CONFIRM = "confirm"


@dataclass(frozen=True)
class Lease:
    """One living worker."""

    worker: str
    run: str
    phase: Phase
    host: str
    host_name: str
    pid: int
    opened_at: float
    expires_at: float


def open_lease(books: Books, worker: str, run: str, phase: Phase, ttl: float) -> None:
    """Sign this process on."""
    host, started = processes.host(), processes.started()
    assert started is not None  # it is this process
    with books.db.transaction() as session:
        row = session.get(RunRow, run)
        if row is None or row.study != books.id:
            raise StudyError(f"there is no run {run!r} in this study")
        row.ended_at = None  # a reconciliation between the run's start and its first lease took it for a dead one
        if session.get(LeaseRow, worker) is None:
            now = books.db.clock(session)
            session.add(
                LeaseRow(
                    worker=worker,
                    study=books.id,
                    run=run,
                    host=host,
                    host_name=socket.gethostname(),
                    pid=os.getpid(),
                    process_started=started,
                    phase=phase,
                    opened_at=now,
                    expires_at=now + ttl,
                )
            )
    books.observe("lease")


def renew(books: Books, worker: str, ttl: float) -> bool:
    """Extend a lease that was not reaped."""
    with books.db.transaction() as session:
        expires = books.db.clock(session) + ttl
        renewed = update(LeaseRow).where(LeaseRow.worker == worker).values(expires_at=expires)
        return rows_changed(session, renewed) == 1


def set_phase(books: Books, worker: str, phase: Phase) -> bool:
    """Say what this worker is at."""
    with books.db.transaction() as session:
        return rows_changed(session, update(LeaseRow).where(LeaseRow.worker == worker).values(phase=phase)) == 1


def close(books: Books, worker: str) -> None:
    """Sign off."""
    with books.db.transaction() as session:
        session.execute(delete(LeaseRow).where(LeaseRow.worker == worker))


def live(db: Database, study: str) -> list[Lease]:
    """The workers that are alive."""
    with db.read() as session:
        now = db.clock(session)
        rows = _of(session, study)
    return [_record(row) for row in rows if not _dead(row, now)]


def reap(books: Books) -> list[Lease]:
    """Remove the leases of dead workers; from then on their trials are anybody's to clean up."""
    reaped = []
    with books.db.transaction() as session:
        now = books.db.clock(session)
        for row in _of(session, books.id):
            if not _dead(row, now):
                continue
            # A worker that renews at this very moment wins: its row is then another than the one that was read.
            same = (LeaseRow.worker == row.worker, LeaseRow.expires_at == row.expires_at)
            if rows_changed(session, delete(LeaseRow).where(*same)) == 1:
                reaped.append(_record(row))
    for _ in reaped:
        books.observe("reconcile:lease")
    return reaped


def leased(worker: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """SQL: the worker that a column names has a lease."""
    return exists().where(LeaseRow.worker == worker)


def _of(session: Session, study: str) -> Sequence[LeaseRow]:
    query = select(LeaseRow).where(LeaseRow.study == study).order_by(LeaseRow.opened_at, LeaseRow.worker)
    return session.scalars(query).all()


def _dead(row: LeaseRow, now: float) -> bool:
    if row.host == processes.host():
        return not processes.alive(row.pid, row.process_started) or row.expires_at + _HUNG_SECONDS < now
    return row.expires_at < now


def _record(row: LeaseRow) -> Lease:
    return Lease(
        worker=row.worker,
        run=row.run,
        phase=Phase(row.phase),
        host=row.host,
        host_name=row.host_name,
        pid=row.pid,
        opened_at=row.opened_at,
        expires_at=row.expires_at,
    )
