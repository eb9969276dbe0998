"""The note that optuna-dashboard shows with an edit's trial: what it changed, why, and how it went wrong if it did."""

from __future__ import annotations

from optuna_dashboard import save_note

from .editors.blocks import diff
from .records import Edit, TrialRecord
from .storage.ledger import Ledger

# Notes are kept in pieces of two thousand characters and sent whole: a long diff is cut.
_LONGEST_DIFF = 6_000


def write_note(ledger: Ledger, trial: TrialRecord, edit: Edit) -> None:
    """Attach the hypothesis and the diff of an edit to its trial; what stood there before is replaced."""
    parts = [f"**{edit.title}**", edit.hypothesis]
    if trial.reason:
        parts.append(f"*{trial.status}*: {trial.reason}")
    revision = ledger.revision(trial.revision)
    if trial.parent is not None and revision.sha256 != ledger.trial(trial.parent).revision:
        parent = ledger.revision(ledger.trial(trial.parent).revision)
        parts.append(_fenced("diff", diff(parent.source, revision.source, parent.short, revision.short)))
    else:  # it did not come to a revision
        parts += [_fenced("diff", diff(block.search, block.replace, "search", "replace")) for block in edit.blocks]
    if trial.tail:
        parts.append(_fenced("", trial.tail))
    body = "\n\n".join(parts)
    ledger.through_outages(lambda: save_note(ledger.optuna_trial(trial.number), body))


def _fenced(language: str, text: str) -> str:
    if len(text) > _LONGEST_DIFF:
        text = f"{text[:_LONGEST_DIFF]}\n… cut: `autoresearch study show` has all of it"
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
