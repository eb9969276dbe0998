"""Lessons: what a language model wants to remember of the trials that it has seen."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..records import Lessons
from . import requests
from .books import Books
from .models import LessonsRow, StudyRow
from .plain import printable


def add(books: Books, text: str, trials_seen: int, draft: str | None) -> None:
    """Write lessons down, unless the newest are the same; with them, the draft that they came of is used."""
    with books.db.transaction() as session:
        # On PostgreSQL the study's row is the lock; on SQLite the transaction itself is.
        if session.get(StudyRow, books.id, with_for_update={"key_share": True}) is None:
            raise KeyError(books.id)
        newest, text = _newest(session, books.id), printable(text)
        if newest is None or (newest.text, newest.trials_seen) != (text, trials_seen):
            number = 0 if newest is None else newest.number + 1
            now = books.db.clock(session)
            session.add(LessonsRow(study=books.id, number=number, trials_seen=trials_seen, created_at=now, text=text))
        if draft is not None:
            requests.use(session, books.id, draft)
    books.observe("lessons")


def latest(books: Books) -> Lessons | None:
    """The newest."""
    with books.db.read() as session:
        row = _newest(session, books.id)
    return None if row is None else Lessons(row.number, row.text, row.trials_seen, row.created_at)


def _newest(session: Session, study: str) -> LessonsRow | None:
    query = select(LessonsRow).where(LessonsRow.study == study).order_by(LessonsRow.number.desc()).limit(1)
    return session.scalars(query).one_or_none()
