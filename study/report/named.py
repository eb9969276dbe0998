"""Trials and revisions by the names that people use: a number, `best`, `baseline`, the beginning of a hash."""

from __future__ import annotations

from collections.abc import Sequence

from autoresearch.errors import StudyError

from ..records import Kind, Revision, TrialRecord
from ..storage.ledger import Ledger

_FEWEST_DIGITS = 4  # of a hash


def trial_named(ledger: Ledger, name: str) -> TrialRecord:
    """The trial with this number; `best` is the incumbent's, `baseline` the first baseline's.

    Raises:
        StudyError: There is none.
    """
    history = ledger.history()
    trial = _trial(ledger, history, name)
    if trial is None:
        raise StudyError(f"there is no trial {name!r} in study {ledger.study.name!r}: expected {_numbers(history)}")
    return trial


def trial_or_revision_named(ledger: Ledger, name: str) -> TrialRecord | Revision:
    """As `trial_named`, or the revision whose hash begins with at least four such digits.

    Raises:
        StudyError: There is none, or several revisions begin so.
    """
    history = ledger.history()
    trial = _trial(ledger, history, name)
    if trial is not None:
        return trial
    revisions = [one for one in ledger.revisions() if one.sha256.startswith(name.lower())]
    if len(name) < _FEWEST_DIGITS or not revisions:
        raise StudyError(
            f"there is no trial or revision {name!r} in study {ledger.study.name!r}: expected {_numbers(history)}, or "
            f"at least {_FEWEST_DIGITS} digits of a revision's hash"
        )
    if len(revisions) > 1:
        found = ", ".join(one.short for one in revisions)
        raise StudyError(f"{len(revisions)} revisions begin with {name!r} ({found}): give more digits")
    return revisions[0]


def _trial(ledger: Ledger, history: Sequence[TrialRecord], name: str) -> TrialRecord | None:
    wanted: int | None = None
    if name == "best":
        incumbent = ledger.incumbent()
        if incumbent is None:
            raise StudyError(f"study {ledger.study.name!r} has no best trial yet: no baseline run has a score")
        wanted = incumbent.number
    elif name == "baseline":
        wanted = next((trial.number for trial in history if trial.kind is Kind.BASELINE), None)
    elif name.isascii() and name.isdecimal() and name == str(int(name)):  # 0000 is the beginning of a hash
        wanted = int(name)
    return next((trial for trial in history if trial.number == wanted), None)


def _numbers(history: Sequence[TrialRecord]) -> str:
    if not history:
        return "none, since nothing was tried yet"
    return f"a number from {history[0].number} to {history[-1].number}, best or baseline"
