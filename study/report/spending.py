"""What language models cost a study, and what came of the instructions that they were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..records import OPEN, Kind, RequestRecord, RequestState, Status, TrialRecord, first_key
from .figures import one_line, signed, usd
from .text import line

_WORDS = {RequestState.FAILED: "failed", RequestState.LOST: "lost with their worker", RequestState.SENT: "under way"}


@dataclass(frozen=True)
class ProgramResult:
    """What came of the edits that were made with the same instructions."""

    program: str  # sha256
    edits: int  # an edit that was tried again is one
    kept: int
    best_gain: float | None  # over its parent; None where none has a score


def spent_usd(requests: Sequence[RequestRecord]) -> Decimal:
    """What requests cost, and of those whose cost is not known the most that they can have cost."""
    return sum((request.spent_usd for request in requests), Decimal(0))


def unknown_usd(requests: Sequence[RequestRecord]) -> Decimal:
    """The second part of that."""
    return sum((request.reserved_usd for request in requests if request.cost_usd is None), Decimal(0))


def spending_lines(requests: Sequence[RequestRecord], cap: Decimal | None = None) -> list[str]:
    """The requests to models in one line, why the last one failed, and how much of the sum is not known but reserved.

    Args:
        requests: All of the study's.
        cap: What they may cost together; None for no limit.
    """
    if not requests:
        return []
    spent = spent_usd(requests)
    counts = Counter(request.state for request in requests)
    others = ", ".join(f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state])
    limit = "" if cap is None else f" of {usd(cap)}"
    number = f"{len(requests)} request{'s' if len(requests) != 1 else ''}"
    lines = [line("model", f"{number}, {usd(spent)}{limit}{'; ' if others else ''}{others}")]
    failed = [request for request in requests if request.state is RequestState.FAILED and request.error]
    if failed:
        lines.append(line("", f"the last that failed: {one_line(failed[-1].error)}"))
    unknown = unknown_usd(requests)
    if unknown:
        lines.append(line("", f"{usd(unknown)} of it is the most that the ones of unknown cost can have cost"))
    return lines


def program_results(history: Sequence[TrialRecord], programs: Mapping[str, str]) -> tuple[ProgramResult, ...]:
    """The instructions compared, in the order in which they were first tried.

    Args:
        history: All trials of the study.
        programs: For each edit's key the hash of its instructions, where there were any.
    """
    trials = {trial.number: trial for trial in history}
    edits: dict[str, dict[str, list[TrialRecord]]] = {}
    for trial in history:
        first = first_key(trial.key)
        program = programs.get(trial.key) or programs.get(first)
        if program and trial.kind is Kind.EDIT and trial.status not in (*OPEN, Status.INTERRUPTED):
            edits.setdefault(program, {}).setdefault(first, []).append(trial)
    return tuple(_result(program, list(tries.values()), trials) for program, tries in edits.items())


def program_lines(results: Sequence[ProgramResult]) -> list[str]:
    """One line for each."""
    lines = []
    for index, result in enumerate(results):
        edits = f"{result.edits} edit{'s' if result.edits != 1 else ''}"
        best = (
            "none with a score" if result.best_gain is None else f"best gain {signed(result.best_gain)} over its parent"
        )
        what = f"{result.program[:8]}: {edits}, {result.kept} kept, {best}"
        lines.append(line("program" if index == 0 else "", what))
    return lines


def _result(program: str, edits: Sequence[Sequence[TrialRecord]], trials: Mapping[int, TrialRecord]) -> ProgramResult:
    kept = sum(any(trial.status is Status.KEEP for trial in tries) for tries in edits)
    gains = [gain for tries in edits for trial in tries if (gain := _gain(trial, trials)) is not None]
    return ProgramResult(program, len(edits), kept, max(gains, default=None))


def _gain(trial: TrialRecord, trials: Mapping[int, TrialRecord]) -> float | None:
    parent = None if trial.parent is None else trials.get(trial.parent)
    if trial.status not in (Status.KEEP, Status.DISCARD) or parent is None:
        return None
    assert trial.val_bpb is not None  # it was judged
    return None if parent.val_bpb is None else parent.val_bpb - trial.val_bpb
