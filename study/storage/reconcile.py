"""Reconciliation: finishing, or taking back, what dead workers left between two writes.

Whoever starts does it, and anybody may do it at any time, several at once: each step changes a row only if it still
stands as it was found, under the row's lock. A worker is dead when it has no lease; a lease once removed never returns,
so nobody writes for that worker any more (its own writes are refused).
"""

from __future__ import annotations

from collections.abc import Callable

from optuna.trial import FrozenTrial
from sqlalchemy import select, update

from ..records import OPEN, Kind, RequestRecord, Status, TrialRecord
from . import claims, leases, mirror, promotion, proposals, requests, trials
from .books import Books
from .models import LeaseRow, ProposalRow, RunRow, TrialRow

_ATTEMPTS = 2  # an edit may take a worker down with it this often


def reconcile(books: Books, threshold_for: Callable[[TrialRecord], float]) -> list[str]:
    """All steps, in an order in which each finds what the one before it left."""
    lines = [f"worker {lease.worker[:8]} (process {lease.pid}) is gone" for lease in leases.reap(books)]
    lines += [_lost(request) for request in requests.mark_lost(books)]
    for trial in mirror.running(books):
        lines += _claimed_without_row(books, trial)
    lines += _taken_without_trial(books)
    for number in _abandoned(books):
        lines += _end(books, number, threshold_for)
    lines += _untold(books)
    _end_runs(books)
    return lines


def _lost(request: RequestRecord) -> str:
    what = f"a request to {request.model} ({request.purpose})"
    return f"{what} was under way when its worker died: what it can cost at most, ${request.reserved_usd:.2f}, counts"


def _claimed_without_row(books: Books, trial: FrozenTrial) -> list[str]:
    """An Optuna trial that was made for a claim which did not come to a row: the row is written, as interrupted."""
    name, key = trial.system_attrs.get(mirror.CLAIM), trial.system_attrs.get(mirror.KEY)
    if name is None or key is None:
        return []  # somebody else's
    with books.db.transaction() as session:
        proposal = trials.proposal_of(session, books.id, key)
        if session.get(TrialRow, (books.id, trial.number)) is not None:
            return []
        held = proposal.claim == name and proposal.number is None
        worker, run = trial.system_attrs[mirror.WORKER], trial.system_attrs[mirror.RUN]
        if held and session.get(LeaseRow, worker) is not None:
            return []  # it is being claimed right now
        now = books.db.clock(session)
        row = claims.new_row(proposal, trial.number, worker, run, name, now)
        claims.close_orphan(row, now)
        session.add(row)
        if held:
            proposals.give_back(session, proposal)
    books.observe("reconcile:orphan")
    mirror.project(books, trial.number, "reconcile")
    return [f"trial {trial.number} ({key}) was interrupted while it was claimed" + (": proposed again" if held else "")]


def _taken_without_trial(books: Books) -> list[str]:
    """Proposals whose taker died before it had made a trial."""
    with books.db.transaction() as session:
        dead = (
            ProposalRow.study == books.id,
            ProposalRow.status == "taken",
            ProposalRow.number.is_(None),
            ~leases.leased(ProposalRow.worker),
        )
        rows = session.scalars(select(ProposalRow).where(*dead).order_by(ProposalRow.id).with_for_update()).all()
        for row in rows:
            proposals.give_back(session, row)
    if rows:
        books.observe("reconcile:taken")
    return [f"{row.key} was taken but not begun: proposed again" for row in rows]


def _abandoned(books: Books) -> list[int]:
    """Open trials without a living worker."""
    with books.db.read() as session:
        dead = (TrialRow.study == books.id, TrialRow.status.in_(OPEN), ~leases.leased(TrialRow.worker))
        return list(session.scalars(select(TrialRow.number).where(*dead).order_by(TrialRow.number)))


def _end(books: Books, number: int, threshold_for: Callable[[TrialRecord], float]) -> list[str]:
    """Settle a judged trial, interrupt another."""
    record = trials.get(books, number)
    if record.status == Status.JUDGED:
        settlement, changed = promotion.decide(books, number, threshold_for(record))
        line = f"trial {number} was judged but not settled: {settlement.status}"
    else:
        line, changed = _interrupt(books, number)
    mirror.project(books, number, "reconcile")
    return [line] if changed else []


def _interrupt(books: Books, number: int) -> tuple[str, bool]:
    with books.db.transaction() as session:
        row = trials.row_of(session, books, number)
        if row.status not in trials.STARTED:
            return "", False  # another reconciliation was faster
        took_down = row.status == Status.RUNNING
        attempts = trials.proposal_of(session, books.id, row.key).attempts + took_down
        if row.kind == Kind.EDIT and attempts >= _ATTEMPTS:
            failure = trials.Failure(Status.CRASH, "its worker died twice while it ran: not tried again")
        else:
            failure = trials.Failure(Status.INTERRUPTED, "its worker died")
        trials.end(session, row, failure, books.db.clock(session), took_down=took_down)
        again = row.status == Status.INTERRUPTED and row.kind != Kind.SAMPLE
    books.observe("reconcile:row")
    return f"trial {number} ({row.key}): {failure.reason}" + (", proposed again" if again else ""), True


def _untold(books: Books) -> list[str]:
    """Finished trials that Optuna takes for running, because the worker died before it told."""
    lines = []
    for trial in mirror.running(books):
        with books.db.read() as session:
            row = session.get(TrialRow, (books.id, trial.number))
            if row is None or row.status in OPEN or session.get(LeaseRow, row.worker) is not None:
                continue
        if mirror.project(books, trial.number, "reconcile"):
            lines.append(f"trial {trial.number} was {row.status} and Optuna did not know")
    return lines


def _end_runs(books: Books) -> None:
    """Runs without a living worker have ended."""
    with books.db.transaction() as session:
        workers = select(LeaseRow.worker).where(LeaseRow.run == RunRow.id).exists()
        over = (RunRow.study == books.id, RunRow.ended_at.is_(None), ~workers)
        session.execute(update(RunRow).where(*over).values(ended_at=books.db.clock(session)))
