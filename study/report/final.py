"""The summary of the study that a ledger keeps."""

from __future__ import annotations

from ..settings import StudySettings
from ..storage.ledger import Ledger
from .spending import program_lines, program_results, spending_lines
from .summary import Summary, summarize
from .text import summary_lines


def summary_of(ledger: Ledger) -> Summary:
    """Where the study stands."""
    # In this order: a promotion that comes in between is then of a trial that the history has.
    incumbent, promotions = ledger.incumbent(), ledger.promotions()
    settings = StudySettings.from_json(ledger.study.settings)
    history = ledger.history()
    revisions = {revision.sha256: revision for revision in ledger.revisions()}
    return summarize(history, incumbent, promotions, settings, ledger.runs(), revisions)


def final_lines(ledger: Ledger, confirm_with: str) -> list[str]:
    """The last lines of a night; `confirm_with` is the command that runs what confirmation is missing."""
    return [*summary_lines(summary_of(ledger), confirm_with), *editor_lines(ledger)]


def editor_lines(ledger: Ledger) -> list[str]:
    """What language models cost, and which instructions did best."""
    results = program_results(ledger.history(), ledger.requests.programs())
    return [*spending_lines(ledger.requests.history()), *program_lines(results)]
