"""Claiming: a proposal becomes a trial, in three writes.

1. The proposal is taken under the name of a claim, and counted.
2. The Optuna trial is made, in one transaction of Optuna's; it carries the claim's name.
3. Our row is written, if the claim still holds.

Between any two of them the worker may die. The claim's name then tells `reconcile` what belongs together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import update
from sqlalchemy.orm import Session

from autoresearch.errors import StudyError

from ..records import SEARCH_KINDS, Proposal, Status, TrialRecord
from . import mirror, proposals, revisions, trials
from .books import Books
from .database import rows_changed
from .models import IncumbentRow, LeaseRow, ProposalRow, RevisionRow, RunRow, TrialRow


class Refusal(StrEnum):
    """Why a proposal was not claimed."""

    QUOTA = "quota"  # the run has started as many trials as it may
    TAKEN = "taken"  # another worker has it, it was withdrawn, or a promotion has overtaken it
    LEASE = "lease"  # this worker was taken for dead


@dataclass(frozen=True)
class _Taken:
    proposal: Proposal
    revision: RevisionRow


def claim(books: Books, proposal_id: int, run: str, worker: str, name: str) -> TrialRecord | Refusal:
    """Take a proposal under a claim's name, and make its trial."""
    with books.db.transaction() as session:
        taken = _take(session, books, proposal_id, run, worker, name)
    if isinstance(taken, Refusal):
        return taken
    books.observe("claim:taken")
    number = mirror.create(books, taken.revision, taken.proposal, name, worker, run)
    books.observe("claim:optuna")
    with books.db.transaction() as session:
        row = _write(session, books, taken.proposal.key, number, run, worker, name)
    if row.status != Status.CLAIMED:
        mirror.project(books, number, "claim")
        return Refusal.LEASE
    books.observe("claim:row")
    return trials.record(row)


def _take(session: Session, books: Books, proposal_id: int, run: str, worker: str, name: str) -> _Taken | Refusal:
    # Shared with other claims, but not with who would remove the lease: after that no claim of this worker is made.
    if session.get(LeaseRow, worker, with_for_update={"read": True}) is None:
        return Refusal.LEASE
    row = session.get(ProposalRow, proposal_id, with_for_update=True)
    if row is None or row.study != books.id:
        raise StudyError(f"there is no proposal {proposal_id} in this study")
    if row.claim != name:  # else this is the second time, after an outage
        if row.status != "ready" or _is_overtaken(session, row):
            return Refusal.TAKEN
        if proposals.counts(row) and not _count(session, run):
            return Refusal.QUOTA
        row.status, row.claim, row.worker, row.run = "taken", name, worker, run
    return _Taken(proposals.record(row), revisions.row_of(session, books.id, row.revision))


def _is_overtaken(session: Session, row: ProposalRow) -> bool:
    """Whether it was made for an incumbent that another worker's promotion has replaced since it was listed."""
    if row.kind not in SEARCH_KINDS:
        return False
    incumbent = session.get(IncumbentRow, row.study)
    return incumbent is not None and incumbent.version != row.incumbent_version


def _count(session: Session, run: str) -> bool:
    within = RunRow.trial_limit.is_(None) | (RunRow.trials_started < RunRow.trial_limit)
    counted = update(RunRow).where(RunRow.id == run, within).values(trials_started=RunRow.trials_started + 1)
    return rows_changed(session, counted) == 1


def _write(session: Session, books: Books, key: str, number: int, run: str, worker: str, name: str) -> TrialRow:
    proposal = trials.proposal_of(session, books.id, key)
    written = session.get(TrialRow, (books.id, number))
    if written is not None:  # by an earlier attempt; or by a reconciliation, as interrupted
        return written
    row = new_row(proposal, number, worker, run, name, books.db.clock(session))
    if proposal.claim == name:
        proposal.number = number
    else:
        close_orphan(row, books.db.clock(session))
    session.add(row)
    return row


def new_row(proposal: ProposalRow, number: int, worker: str, run: str, name: str, now: float) -> TrialRow:
    """The row of a trial that was just claimed."""
    return TrialRow(
        study=proposal.study,
        number=number,
        kind=proposal.kind,
        status=Status.CLAIMED,
        revision=proposal.revision,
        values=dict(proposal.values),
        seed=proposal.seed,
        parent=proposal.parent,
        incumbent_version=proposal.incumbent_version,
        title=proposal.title,
        key=proposal.key,
        worker=worker,
        run=run,
        claim=name,
        reason="",
        tail="",
        result={},
        pruned=False,
        lost_race=False,
        created_at=now,
    )


def close_orphan(row: TrialRow, now: float) -> None:
    """The row of a trial whose claim did not last until it stood written."""
    row.status, row.reason, row.finished_at = Status.INTERRUPTED, "its worker died while claiming it", now
