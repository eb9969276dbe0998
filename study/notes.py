"""The note that optuna-dashboard shows with a trial: what an edit changed, and why."""

from __future__ import annotations

from optuna_dashboard import save_note

from .editors.blocks import diff
from .records import Revision, TrialRecord
from .storage.ledger import Ledger

# Notes are kept in pieces of two thousand characters and sent whole: a long diff is cut.
_LONGEST_DIFF = 6_000


def write_note(ledger: Ledger, trial: TrialRecord, revision: Revision) -> None:
    """Attach the title, the hypothesis and the diff of an edit to its trial."""
    parent = ledger.revision(revision.parent) if revision.parent else None
    changes = diff(parent.source, revision.source, parent.short, revision.short) if parent else ""
    if len(changes) > _LONGEST_DIFF:
        changes = f"{changes[:_LONGEST_DIFF]}\n… cut: `autoresearch study show {trial.number}` has all of it"
    body = f"**{revision.title}**\n\n{revision.hypothesis}\n\n```diff\n{changes}\n```\n"
    ledger.through_outages(lambda: save_note(ledger.optuna_trial(trial.number), body))
