"""Promotion: what follows from a judged trial.

The incumbent, the record of its change and the trial's status are one transaction; that the incumbent is still the one
that was compared with is the condition of its UPDATE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autoresearch.errors import StudyError

from ..records import SCORED, SEARCH_KINDS, Incumbent, Promotion, Status
from . import mirror, trials
from .books import Books
from .database import rows_changed
from .models import IncumbentRow, PromotionRow, TrialRow

FIRST_KEY = "baseline:0"  # the proposal whose trial becomes the first incumbent


@dataclass(frozen=True)
class Settlement:
    """What followed from a judged trial."""

    status: Status  # keep, discard or measured
    reason: str
    gain: float | None  # over the incumbent that it was compared with; None for a measurement
    threshold: float | None  # that the gain had to exceed
    lost_race: bool  # it beat the incumbent that it was made for, but by then there was a better one
    promotion: Promotion | None


class _Verdict(NamedTuple):
    keep: bool
    reason: str
    gain: float
    lost_race: bool


def settle(books: Books, number: int, threshold: float) -> Settlement:
    """Decide once, and tell Optuna."""
    settlement, _ = decide(books, number, threshold)
    mirror.project(books, number, "settle")
    return settlement


def decide(books: Books, number: int, threshold: float) -> tuple[Settlement, bool]:
    """Decide, or find the decision; and whether it is a new one."""
    while True:
        with books.db.transaction() as session:
            row = trials.row_of(session, books, number)
            fresh = row.status == Status.JUDGED
            if not fresh and row.status not in SCORED:
                raise StudyError(f"trial {number} is {row.status!r}: only a judged one can be settled")
            decided = not fresh or _decide(session, row, threshold, books.db.clock(session))
            settlement = _settlement(session, row) if decided else None
        if settlement is not None:
            if fresh:
                books.observe("settle:promoted" if settlement.promotion else "settle:decided")
            return settlement, fresh


def incumbent(books: Books) -> Incumbent | None:
    """What the next trials build on."""
    with books.db.read() as session:
        row = session.get(IncumbentRow, books.id)
    if row is None:
        return None
    return Incumbent(row.version, row.number, row.revision, dict(row.values), row.val_bpb)


def promotions(books: Books) -> list[Promotion]:
    """Every change of the incumbent."""
    with books.db.read() as session:
        query = select(PromotionRow).where(PromotionRow.study == books.id).order_by(PromotionRow.version)
        return [_record(row) for row in session.scalars(query)]


def _decide(session: Session, row: TrialRow, threshold: float, now: float) -> bool:
    """Write the decision; False, with nothing written, if the incumbent changed in between."""
    current = session.get(IncumbentRow, row.study)
    if row.kind not in SEARCH_KINDS:
        if row.key == FIRST_KEY and current is None:
            session.add(_first_incumbent(row))
            session.add(_promotion(row, 0, gain=0.0, threshold=0.0, now=now))
        row.status = Status.MEASURED
    else:
        if current is None:
            raise StudyError(f"trial {row.number} cannot be settled before {FIRST_KEY} is: there is no incumbent")
        verdict = _compare(session, row, current, threshold)
        if verdict.keep:
            if not _replace(session, row, current):
                return False
            session.add(_promotion(row, current.version + 1, gain=verdict.gain, threshold=threshold, now=now))
        row.status = Status.KEEP if verdict.keep else Status.DISCARD
        row.reason, row.gain, row.threshold = verdict.reason, verdict.gain, threshold
        row.lost_race = verdict.lost_race
    row.finished_at = now
    trials.finish_proposal(session, row)
    return True


def _compare(session: Session, row: TrialRow, current: IncumbentRow, threshold: float) -> _Verdict:
    assert row.val_bpb is not None  # judged
    gain = current.val_bpb - row.val_bpb
    if gain > threshold:
        better = f"better than version {current.version} by {gain:.4f}"
        if doubt := _doubt(row):
            return _Verdict(False, f"{better}, {doubt}", gain, False)
        return _Verdict(True, better, gain, False)
    if gain > 0:
        reason = f"better than version {current.version} by {gain:.4f}, not by more than {threshold:.4f}"
    elif gain < 0:
        reason = f"worse than version {current.version} by {-gain:.4f}"
    else:
        reason = f"exactly as good as version {current.version}"
    made_for = session.get(PromotionRow, (row.study, row.incumbent_version))
    if current.version > row.incumbent_version and made_for is not None:
        ahead = made_for.val_bpb - row.val_bpb
        if ahead > threshold:
            return _Verdict(False, f"beat its parent by {ahead:.4f} but lost the race: {reason}", gain, True)
    return _Verdict(False, reason, gain, False)


def _doubt(row: TrialRow) -> str:
    """Why a gain must not be promoted; nothing where there is no reason."""
    if row.result.get("unconfirmed"):
        return "which is more than is plausible, and there was no time left to reach it twice"
    if not row.result.get("probed_in_full", True):
        return "but it was not probed in full: by the bar that was set when it was judged it did not count as better"
    return ""


def _replace(session: Session, row: TrialRow, current: IncumbentRow) -> bool:
    same = (
        IncumbentRow.study == row.study,
        IncumbentRow.version == current.version,
        IncumbentRow.val_bpb == current.val_bpb,
    )
    replaced = (
        update(IncumbentRow)
        .where(*same)
        .values(
            {
                IncumbentRow.version: current.version + 1,
                IncumbentRow.number: row.number,
                IncumbentRow.revision: row.revision,
                IncumbentRow.values: dict(row.values),
                IncumbentRow.val_bpb: row.val_bpb,
            }
        )
        .execution_options(synchronize_session=False)
    )
    return rows_changed(session, replaced) == 1


def _first_incumbent(row: TrialRow) -> IncumbentRow:
    return IncumbentRow(
        study=row.study,
        version=0,
        number=row.number,
        revision=row.revision,
        values=dict(row.values),
        val_bpb=row.val_bpb,
    )


def _promotion(row: TrialRow, version: int, *, gain: float, threshold: float, now: float) -> PromotionRow:
    return PromotionRow(
        study=row.study,
        version=version,
        number=row.number,
        val_bpb=row.val_bpb,
        gain=gain,
        threshold=threshold,
        at=now,
    )


def _settlement(session: Session, row: TrialRow) -> Settlement:
    session.flush()
    made = session.scalars(
        select(PromotionRow).where(PromotionRow.study == row.study, PromotionRow.number == row.number)
    ).one_or_none()
    return Settlement(
        Status(row.status), row.reason, row.gain, row.threshold, row.lost_race, None if made is None else _record(made)
    )


def _record(row: PromotionRow) -> Promotion:
    return Promotion(row.version, row.number, row.val_bpb, row.gain, row.threshold, row.at)
