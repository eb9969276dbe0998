"""Revisions: every text of train.py that a study has seen, and the names of its knobs in Optuna.

Optuna ties a parameter's name to one kind of distribution for the whole study. A knob whose range became of another
kind (a float an integer, linear logarithmic, other choices) therefore gets a new name there: `window_pattern_v2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from autoresearch.errors import StudyError
from autoresearch.knobs import Knob

from ..records import Block, Revision
from .books import Books
from .models import RevisionRow, StudyRow
from .plain import printable

_KINDS: dict[str, type] = {"int": int, "float": float, "str": str}


def add(books: Books, revision: Revision) -> None:
    """Write a revision down, once."""
    with books.db.transaction() as session:
        insert(session, books.id, revision, books.db.clock(session))
    books.observe("revision")


def insert(session: Session, study: str, revision: Revision, now: float) -> None:
    """Write a revision down within a transaction: its place in the order and its names depend on those before it."""
    # On PostgreSQL the study's row is the lock; on SQLite the transaction itself is.
    if session.get(StudyRow, study, with_for_update={"key_share": True}) is None:
        raise KeyError(study)
    columns = (RevisionRow.sha256, RevisionRow.knobs, RevisionRow.optuna_names)  # not all the texts
    earlier = session.execute(select(*columns).where(RevisionRow.study == study).order_by(RevisionRow.position)).all()
    if any(row.sha256 == revision.sha256 for row in earlier):
        return
    if revision.parent is not None and all(row.sha256 != revision.parent for row in earlier):
        raise StudyError(
            f"revision {revision.short} is an edit of {revision.parent[:8]}, which this study does not have"
        )
    session.add(
        RevisionRow(
            study=study,
            sha256=revision.sha256,
            position=len(earlier),
            parent=revision.parent,
            source=revision.source,
            title=printable(revision.title),
            hypothesis=printable(revision.hypothesis),
            knobs=[_knob_to_json(knob) for knob in revision.knobs.values()],
            optuna_names=names_for(revision.knobs, [(row.optuna_names, _knobs(row.knobs)) for row in earlier]),
            blocks=[{"search": block.search, "replace": block.replace} for block in revision.blocks],
            editor=revision.editor,
            program=revision.program,
            created_at=now,
        )
    )


def names_for(
    knobs: Mapping[str, Knob], earlier: Iterable[tuple[Mapping[str, str], Mapping[str, Knob]]]
) -> dict[str, str]:
    """Each knob's name in Optuna: its own, or the first of `name_v2`, `name_v3`, … that its range is compatible with.

    Args:
        knobs: Of the new revision.
        earlier: For each earlier revision its names and its knobs.
    """
    used: dict[str, tuple[str, BaseDistribution]] = {}  # Optuna's name -> the knob that owns it, and a range of it
    for names, its_knobs in earlier:
        for knob_name, name in names.items():
            used.setdefault(name, (knob_name, its_knobs[knob_name].distribution))
    chosen = {}
    for knob in knobs.values():
        version = 1
        while True:
            name = knob.name if version == 1 else f"{knob.name}_v{version}"
            owner, distribution = used.setdefault(name, (knob.name, knob.distribution))
            if owner == knob.name and _compatible(distribution, knob.distribution):
                break
            version += 1
        chosen[knob.name] = name
    return chosen


def get(books: Books, sha256: str) -> Revision:
    """One revision."""
    with books.db.read() as session:
        return _record(row_of(session, books.id, sha256))


def every(books: Books) -> list[Revision]:
    """All revisions, in the order of writing."""
    with books.db.read() as session:
        rows = session.scalars(select(RevisionRow).where(RevisionRow.study == books.id).order_by(RevisionRow.position))
        return [_record(row) for row in rows]


def lineage(books: Books, sha256: str) -> tuple[str, ...]:
    """A revision's ancestors and itself, oldest first."""
    with books.db.read() as session:
        query = select(RevisionRow.sha256, RevisionRow.parent).where(RevisionRow.study == books.id)
        parents = {row.sha256: row.parent for row in session.execute(query)}
    if sha256 not in parents:
        raise _unknown(sha256)
    line: list[str] = []
    step: str | None = sha256
    while step is not None:  # it ends: a parent is written down before its edits
        line.append(step)
        step = parents[step]
    return tuple(reversed(line))


def optuna_names(books: Books, sha256: str) -> dict[str, str]:
    """A revision's knobs -> their names in Optuna."""
    with books.db.read() as session:
        return dict(row_of(session, books.id, sha256).optuna_names)


def row_of(session: Session, study: str, sha256: str) -> RevisionRow:
    """A revision's row."""
    row = session.get(RevisionRow, (study, sha256))
    if row is None:
        raise _unknown(sha256)
    return row


def distributions_of(row: RevisionRow) -> dict[str, tuple[str, BaseDistribution]]:
    """Each knob -> its name in Optuna and its range."""
    return {name: (row.optuna_names[name], knob.distribution) for name, knob in _knobs(row.knobs).items()}


def _unknown(sha256: str) -> StudyError:
    return StudyError(f"there is no revision {sha256[:8]!r} in this study")


def _compatible(one: BaseDistribution, other: BaseDistribution) -> bool:
    try:
        check_distribution_compatibility(one, other)
    except ValueError:
        return False
    return True


def _record(row: RevisionRow) -> Revision:
    return Revision(
        sha256=row.sha256,
        source=row.source,
        knobs=_knobs(row.knobs),
        parent=row.parent,
        title=row.title,
        hypothesis=row.hypothesis,
        blocks=tuple(Block(block["search"], block["replace"]) for block in row.blocks),
        editor=row.editor,
        program=row.program,
    )


def _knob_to_json(knob: Knob) -> dict[str, Any]:
    return {
        "name": knob.name,
        "kind": knob.kind.__name__,
        "default": knob.default,
        "distribution": distribution_to_json(knob.distribution),
    }


def _knobs(knobs: list[dict[str, Any]]) -> dict[str, Knob]:
    return {
        knob["name"]: Knob(
            knob["name"], _KINDS[knob["kind"]], knob["default"], json_to_distribution(knob["distribution"])
        )
        for knob in knobs
    }
