"""Runs: one row for each `optimize` command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from autoresearch.errors import StudyError

from .books import Books
from .models import RunRow


@dataclass(frozen=True)
class Run:
    """One `optimize` command. Times are on the database's clock."""

    id: str
    started_at: float
    ended_at: float | None
    deadline: float | None
    trial_limit: int | None
    trials_started: int  # that count against the limit
    options: Mapping[str, Any]


def start(books: Books, run: str, options: Mapping[str, Any], deadline: float | None, trial_limit: int | None) -> None:
    """Write down that a run began."""
    with books.db.transaction() as session:
        if session.get(RunRow, run) is None:
            now = books.db.clock(session)
            session.add(
                RunRow(
                    id=run,
                    study=books.id,
                    started_at=now,
                    deadline=deadline,
                    trial_limit=trial_limit,
                    trials_started=0,
                    options=dict(options),
                )
            )
    books.observe("run")


def end(books: Books, run: str) -> None:
    """Write down that a run ended, unless that stands there already."""
    with books.db.transaction() as session:
        now = books.db.clock(session)
        session.execute(update(RunRow).where(RunRow.id == run, RunRow.ended_at.is_(None)).values(ended_at=now))


def get(books: Books, run: str) -> Run:
    """One run."""
    with books.db.read() as session:
        row = session.get(RunRow, run)
    if row is None or row.study != books.id:
        raise StudyError(f"there is no run {run!r} in this study")
    return _record(row)


def every(books: Books) -> list[Run]:
    """All runs, oldest first."""
    with books.db.read() as session:
        rows = session.scalars(select(RunRow).where(RunRow.study == books.id).order_by(RunRow.started_at))
        return [_record(row) for row in rows]


def _record(row: RunRow) -> Run:
    return Run(
        row.id, row.started_at, row.ended_at, row.deadline, row.trial_limit, row.trials_started, dict(row.options)
    )
