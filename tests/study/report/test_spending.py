"""What status says of money, and of the instructions that it was spent on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from autoresearch.study.records import Kind, Purpose, RequestRecord, RequestState, Status, TrialRecord
from autoresearch.study.report.figures import usd
from autoresearch.study.report.spending import ProgramResult, program_lines, program_results, spending_lines

ONE, OTHER = "1" * 64, "0" * 64
BASELINE = TrialRecord(0, Kind.BASELINE, Status.MEASURED, "r", {}, 0, None, -1, "", "baseline:0", "w", "r", val_bpb=1.5)


def request(state: RequestState, cost: str | None, reserved: str = "0.10") -> RequestRecord:
    plain = RequestRecord("draft", Purpose.EDIT, "model", ONE, (), Decimal(reserved), "worker", state=state)
    error = "answered 529: Overloaded" if state is RequestState.FAILED else ""
    return replace(plain, cost_usd=None if cost is None else Decimal(cost), error=error)


def edit(number: int, key: str, status: Status, val_bpb: float | None = None, parent: int = 0) -> TrialRecord:
    return replace(BASELINE, number=number, kind=Kind.EDIT, key=key, status=status, val_bpb=val_bpb, parent=parent)


def test_a_study_that_asked_nobody_says_nothing() -> None:
    assert spending_lines([], Decimal(20)) == []


def test_requests_are_counted_and_their_costs_added_up() -> None:
    requests = [request(RequestState.ANSWERED, "0.10")] * 9 + [request(RequestState.FAILED, "0.11")] * 3
    assert spending_lines(requests, Decimal(20)) == [
        "model       12 requests, $1.23 of $20.00; 3 failed",
        "            the last that failed: answered 529: Overloaded",
    ]
    assert spending_lines(requests[:1]) == ["model       1 request, $0.10"]


def test_what_is_not_known_is_said_to_be_a_reservation() -> None:
    states = (RequestState.FAILED, RequestState.LOST, RequestState.LOST, RequestState.SENT)
    requests = [request(state, None) for state in states] + [request(RequestState.ANSWERED, "0.05")]
    assert spending_lines(requests, Decimal(2)) == [
        "model       5 requests, $0.45 of $2.00; 1 failed, 2 lost with their worker, 1 under way",
        "            the last that failed: answered 529: Overloaded",
        "            $0.40 of it is the most that the ones of unknown cost can have cost",
    ]


@pytest.mark.parametrize(
    ("amount", "written"),
    [("0", "$0.00"), ("0.00001", "$0.0001"), ("0.0042", "$0.0042"), ("0.01", "$0.01"), ("1234.567", "$1234.57")],
)
def test_dollars(amount: str, written: str) -> None:
    assert usd(Decimal(amount)) == written


def test_instructions_are_compared_by_what_came_of_their_edits() -> None:
    history = [
        BASELINE,
        edit(1, "anthropic:a", Status.KEEP, 1.4),
        edit(2, "anthropic:b", Status.CRASH, parent=1),
        edit(3, "anthropic:c", Status.DISCARD, 1.45, parent=1),
        edit(4, "anthropic:d", Status.INTERRUPTED, parent=1),
        edit(5, "anthropic:e", Status.RUNNING, parent=1),
        edit(6, "replay:f", Status.KEEP, 1.0, parent=1),
        replace(edit(7, "sample:0", Status.KEEP, 0.5), kind=Kind.SAMPLE),
    ]
    programs = {f"anthropic:{letter}": ONE for letter in "abde"} | {"anthropic:c": OTHER, "sample:0": ONE}
    results = program_results(history, programs)
    assert results == (
        ProgramResult(ONE, edits=2, kept=1, best_gain=pytest.approx(0.1)),
        ProgramResult(OTHER, edits=1, kept=0, best_gain=pytest.approx(-0.05)),
    )
    assert program_lines(results) == [
        "program     11111111: 2 edits, 1 kept, best gain +0.100000 over its parent",
        "            00000000: 1 edit, 0 kept, best gain -0.050000 over its parent",
    ]


def test_an_edit_that_was_tried_again_on_a_newer_incumbent_counts_once() -> None:
    history = [
        BASELINE,
        edit(1, "anthropic:a", Status.DISCARD, 1.45),
        edit(2, "anthropic:a@1", Status.KEEP, 1.3),
    ]
    [result] = program_results(history, {"anthropic:a": ONE})
    assert (result.edits, result.kept, result.best_gain) == (1, 1, pytest.approx(0.2))


def test_instructions_that_led_to_no_score_say_so() -> None:
    assert program_lines([ProgramResult(ONE, edits=3, kept=0, best_gain=None)]) == [
        "program     11111111: 3 edits, 0 kept, none with a score"
    ]


def test_without_instructions_there_is_nothing_to_compare() -> None:
    assert program_results([BASELINE, edit(1, "replay:a", Status.KEEP, 1.4)], {}) == ()
