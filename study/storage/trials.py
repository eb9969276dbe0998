"""Our rows of trials, and the changes of their status that need nobody else's row but their proposal's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autoresearch.errors import StudyError

from ..records import OPEN, SCORED, Kind, Status, TrialRecord
from . import mirror, proposals
from .books import Books
from .models import ProposalRow, TrialRow
from .plain import plain, printable

STARTED = (Status.CLAIMED, Status.RUNNING)  # not judged yet


@dataclass(frozen=True)
class Failure:
    """How a trial ended without a score."""

    status: Status
    reason: str
    tail: str = ""
    pruned: bool = False  # tell Optuna PRUNED, and not FAIL
    vram_excess_gib: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A programming error is better found here than in a database."""
        if self.status in OPEN or self.status in SCORED:
            raise ValueError(f"a trial cannot fail as {str(self.status)!r}")


def start(books: Books, number: int, worker: str) -> bool:
    """Go from claimed to running."""
    with books.db.transaction() as session:
        row = row_of(session, books, number)
        if row.worker != worker or row.status not in STARTED:
            return False
        if row.status == Status.CLAIMED:
            row.status, row.started_at = Status.RUNNING, books.db.clock(session)
    books.observe("start")
    return True


def judge(
    books: Books, number: int, worker: str, val_bpb: float, test_bpb: float | None, result: Mapping[str, Any]
) -> bool:
    """Go from running to judged."""
    if not math.isfinite(val_bpb):
        raise ValueError(f"val_bpb is {val_bpb!r}: a trial without a score fails")
    with books.db.transaction() as session:
        row = row_of(session, books, number)
        if row.worker != worker:
            return False
        if row.status != Status.RUNNING:  # told before, and the answer was lost with the connection?
            return row.status in (Status.JUDGED, *SCORED) and row.val_bpb == val_bpb
        row.status, row.val_bpb, row.test_bpb, row.result = Status.JUDGED, val_bpb, test_bpb, plain(result)
    books.observe("judge")
    return True


def fail(books: Books, number: int, worker: str | None, failure: Failure) -> bool:
    """claimed, running -> a status without a score; then Optuna."""
    with books.db.transaction() as session:
        row = row_of(session, books, number)
        if worker not in (None, row.worker):
            return False
        if row.status not in STARTED and row.status != failure.status:
            return False
        if row.status in STARTED:
            end(session, row, failure, books.db.clock(session))
    books.observe("fail:row")
    mirror.project(books, number, "fail")
    return True


def end(session: Session, row: TrialRow, failure: Failure, now: float, *, took_down: bool = False) -> None:
    """Write an end without a score, and what it means for the proposal, within a transaction that holds the row."""
    row.status, row.finished_at = failure.status, now
    row.reason, row.tail = printable(failure.reason), printable(failure.tail)
    row.pruned, row.vram_excess_gib, row.result = failure.pruned, failure.vram_excess_gib, plain(failure.result)
    proposal = proposal_of(session, row.study, row.key)
    if proposal.claim != row.claim:
        return  # it was taken back before
    if failure.status == Status.INTERRUPTED and row.kind != Kind.SAMPLE:
        proposals.give_back(session, proposal, took_down=took_down)
    else:
        proposal.status = "done"
        proposal.attempts += took_down


def finish_proposal(session: Session, row: TrialRow) -> None:
    """A trial that was scored has done what its proposal asked for."""
    mine = (ProposalRow.study == row.study, ProposalRow.claim == row.claim)
    session.execute(update(ProposalRow).where(*mine).values(status="done"))


def get(books: Books, number: int) -> TrialRecord:
    """One trial."""
    with books.db.read() as session:
        return record(row_of(session, books, number, lock=False))


def history(books: Books) -> list[TrialRecord]:
    """All trials, by number."""
    with books.db.read() as session:
        rows = session.scalars(select(TrialRow).where(TrialRow.study == books.id).order_by(TrialRow.number))
        return [record(row) for row in rows]


def row_of(session: Session, books: Books, number: int, *, lock: bool = True) -> TrialRow:
    """A trial's row; locked, on PostgreSQL."""
    row = session.get(TrialRow, (books.id, number), with_for_update=lock)
    if row is None:
        raise StudyError(f"there is no trial {number} in this study")
    return row


def proposal_of(session: Session, study: str, key: str) -> ProposalRow:
    """The proposal with this key; locked, on PostgreSQL."""
    mine = (ProposalRow.study == study, ProposalRow.key == key)
    row = session.scalars(select(ProposalRow).where(*mine).with_for_update()).one_or_none()
    if row is None:
        raise KeyError(key)  # proposals go only with their study
    return row


def record(row: TrialRow) -> TrialRecord:
    """A row as others see it."""
    return TrialRecord(
        number=row.number,
        kind=Kind(row.kind),
        status=Status(row.status),
        revision=row.revision,
        values=dict(row.values),
        seed=row.seed,
        parent=row.parent,
        incumbent_version=row.incumbent_version,
        title=row.title,
        key=row.key,
        worker=row.worker,
        run=row.run,
        reason=row.reason,
        tail=row.tail,
        lost_race=row.lost_race,
        val_bpb=row.val_bpb,
        test_bpb=row.test_bpb,
        result=dict(row.result),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
