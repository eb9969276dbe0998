"""The summary of the study that a ledger keeps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..records import Kind, RequestState
from ..settings import StudySettings
from ..storage.ledger import Ledger
from .figures import one_line
from .spending import program_lines, program_results, spending_lines, spent_usd, unknown_usd
from .summary import Summary, summarize
from .text import line, summary_lines


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
    """What language models cost, which instructions did best, and which edits wait for a trial."""
    results = program_results(ledger.history(), ledger.requests.programs())
    waiting = [proposal for _, proposal in ledger.waiting() if proposal.kind is Kind.EDIT and not proposal.error]
    tells = [line("waiting", f"{one_line(proposal.title)}: an edit that waits for its trial") for proposal in waiting]
    return [*spending_lines(ledger.requests.history()), *program_lines(results), *tells]


def editor_record(ledger: Ledger) -> dict[str, Any]:
    """The same for programs."""
    requests, results = ledger.requests.history(), program_results(ledger.history(), ledger.requests.programs())
    return {
        "model": {
            "requests": len(requests),
            "failed": sum(request.state is RequestState.FAILED for request in requests),
            "spent_usd": float(spent_usd(requests)),
            "unknown_usd": float(unknown_usd(requests)),
            "models": sorted({request.model for request in requests}),
        },
        "programs": [asdict(result) for result in results],
    }
