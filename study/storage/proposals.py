"""Proposals: the queue of trials that were decided on. A unique key makes two workers' same idea one proposal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ..records import SEARCH_KINDS, Block, Edit, Kind, Proposal
from . import requests, revisions
from .books import Books
from .database import rows_changed
from .mirror import template
from .models import ProposalRow, RunRow, TrialRow
from .plain import printable

_SEARCH = tuple(str(kind) for kind in SEARCH_KINDS)


def propose(books: Books, proposal: Proposal, stale: bool, draft: str | None, instead_of: int | None) -> bool:
    """Queue a trial, unless its key is taken; with it, the draft that it came of is used, and another one withdrawn."""
    added = False
    with books.db.transaction() as session:
        template(revisions.row_of(session, books.id, proposal.revision), proposal, {})  # raises what a claim would
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        row = _columns(proposal)
        row |= {"study": books.id, "status": "stale" if stale else "ready", "created_at": books.db.clock(session)}
        statement = dialect.insert(ProposalRow).values(row).on_conflict_do_nothing(index_elements=["study", "key"])
        if instead_of is None or _withdraw(session, books.id, instead_of):
            added = session.scalar(statement.returning(ProposalRow.id)) is not None
        if draft is not None:
            requests.use(session, books.id, draft)
    if added:
        books.observe("propose")
    return added


def ready(books: Books, incumbent_version: int) -> list[tuple[int, Proposal]]:
    """What can be claimed while this is the incumbent."""
    fits = ProposalRow.kind.not_in(_SEARCH) | (ProposalRow.incumbent_version == incumbent_version)
    return _select(books, ProposalRow.status == "ready", fits)


def outdated(books: Books, incumbent_version: int) -> list[tuple[int, Proposal]]:
    """What waits but was made for another incumbent."""
    other = ProposalRow.kind.in_(_SEARCH) & (ProposalRow.incumbent_version != incumbent_version)
    return _select(books, ProposalRow.status == "ready", other)


def waiting(books: Books) -> list[tuple[int, Proposal]]:
    """All that wait, for whichever incumbent."""
    return _select(books, ProposalRow.status == "ready")


def mark_stale(books: Books, proposal_id: int) -> bool:
    """Withdraw a proposal that waits."""
    with books.db.transaction() as session:
        return _withdraw(session, books.id, proposal_id)


def keys(books: Books, prefix: str) -> list[str]:
    """All keys that begin so."""
    with books.db.read() as session:
        begins = ProposalRow.key.startswith(prefix, autoescape=True)
        query = select(ProposalRow.key).where(ProposalRow.study == books.id, begins).order_by(ProposalRow.id)
        return [key for key in session.scalars(query) if key.startswith(prefix)]  # SQLite's LIKE ignores case


def programs(books: Books) -> dict[str, str]:
    """For each edit's key the sha256 of the instructions that it was made with, where there were any."""
    with books.db.read() as session:
        edits = (ProposalRow.study == books.id, ProposalRow.edit.is_not(None))
        query = select(ProposalRow.key, ProposalRow.edit).where(*edits).order_by(ProposalRow.id)
        return {key: edit["program"] for key, edit in session.execute(query) if edit and edit.get("program")}


def sampler_states(books: Books) -> dict[int, dict[str, Any]]:
    """The system attributes that trials were proposed with, by number."""
    with books.db.read() as session:
        query = (
            select(TrialRow.number, ProposalRow.system_attrs)
            .join(ProposalRow, (ProposalRow.study == TrialRow.study) & (ProposalRow.key == TrialRow.key))
            .where(TrialRow.study == books.id, ProposalRow.kind == str(Kind.SAMPLE))
        )
        return {number: dict(attributes) for number, attributes in session.execute(query) if attributes}


def sample_count(books: Books) -> int:
    """How many samples were proposed."""
    with books.db.read() as session:
        samples = (ProposalRow.study == books.id, ProposalRow.kind == str(Kind.SAMPLE))
        return session.scalar(select(func.count()).select_from(ProposalRow).where(*samples)) or 0


def counts(row: ProposalRow) -> bool:
    """Whether a trial of this proposal counts against a run's limit: confirmations and stillborn edits do not."""
    return row.kind != Kind.CONFIRM and not row.error


def give_back(session: Session, row: ProposalRow, *, took_down: bool = False) -> None:
    """Make a taken proposal ready again, and give its count back to the run: it will be counted when taken again.

    Args:
        session: With the row locked, or the whole database.
        row: The proposal, as it stands.
        took_down: Its trial was running when its worker died.
    """
    if counts(row):
        counted = update(RunRow).where(RunRow.id == row.run)
        session.execute(counted.values(trials_started=RunRow.trials_started - 1))
    row.status, row.claim, row.worker, row.run, row.number = "ready", None, None, None, None
    row.attempts += took_down


def record(row: ProposalRow) -> Proposal:
    """A row as others see it."""
    return Proposal(
        key=row.key,
        kind=Kind(row.kind),
        revision=row.revision,
        values=dict(row.values),
        seed=row.seed,
        incumbent_version=row.incumbent_version,
        parent=row.parent,
        title=row.title,
        system_attrs=dict(row.system_attrs),
        edit=_edit_from_json(row.edit) if row.edit is not None else None,
        error=row.error,
    )


def _withdraw(session: Session, study: str, proposal_id: int) -> bool:
    waits = (ProposalRow.id == proposal_id, ProposalRow.study == study, ProposalRow.status == "ready")
    return rows_changed(session, update(ProposalRow).where(*waits).values(status="stale")) == 1


def _select(books: Books, *conditions: Any) -> list[tuple[int, Proposal]]:
    with books.db.read() as session:
        query = select(ProposalRow).where(ProposalRow.study == books.id, *conditions).order_by(ProposalRow.id)
        return [(row.id, record(row)) for row in session.scalars(query)]


def _columns(proposal: Proposal) -> dict[str, Any]:
    return {
        "key": proposal.key,
        "kind": str(proposal.kind),
        "revision": proposal.revision,
        "values": dict(proposal.values),
        "seed": proposal.seed,
        "incumbent_version": proposal.incumbent_version,
        "parent": proposal.parent,
        "title": printable(proposal.title),
        "system_attrs": dict(proposal.system_attrs),
        "edit": _edit_to_json(proposal.edit) if proposal.edit is not None else None,
        "error": printable(proposal.error),
        "attempts": 0,
    }


def _edit_to_json(edit: Edit) -> dict[str, Any]:
    blocks = [{"search": block.search, "replace": block.replace} for block in edit.blocks]
    texts = {"key": edit.key, "title": edit.title, "hypothesis": edit.hypothesis}
    return texts | {"blocks": blocks, "program": edit.program, "error": edit.error}


def _edit_from_json(edit: dict[str, Any]) -> Edit:
    blocks = tuple(Block(block["search"], block["replace"]) for block in edit["blocks"])
    since_0002 = edit.get("program", ""), edit.get("error", "")
    return Edit(edit["key"], edit["title"], edit["hypothesis"], blocks, *since_0002)
