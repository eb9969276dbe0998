"""How long an edit may take where the budget does not say it."""

from __future__ import annotations

from dataclasses import replace

from autoresearch.isolation.limits import Limits
from autoresearch.study.allowance import limits_after
from autoresearch.study.records import Kind, Status, TrialRecord

LIMITS = Limits(evaluation=3600.0, steps=86_400.0)
BASELINE = TrialRecord(0, Kind.BASELINE, Status.MEASURED, "r", {}, 0, None, -1, "", "baseline:0", "w", "run")


def took(evaluation: float, training: float, **fields: object) -> TrialRecord:
    result = {"eval_seconds": evaluation, "training_seconds": training, "startup_seconds": 8.0, "warmup_seconds": 32.0}
    return replace(BASELINE, result=result, **fields)


def test_before_there_is_a_baseline_nothing_is_known() -> None:
    failed = replace(BASELINE, status=Status.CRASH)
    assert limits_after([], LIMITS) == LIMITS
    assert limits_after([failed], LIMITS) == LIMITS


def test_then_the_slowest_baseline_sets_the_measure() -> None:
    edit = took(500.0, 900.0, kind=Kind.EDIT, status=Status.DISCARD)  # may have been slow for reasons of its own
    limits = limits_after([took(10.0, 100.0), took(20.0, 90.0), edit], LIMITS)
    assert (limits.evaluation, limits.steps) == (60.0 + 5 * 20.0, 60.0 + 5 * 100.0)
    assert limits.startup == 180.0 + 5 * 40.0


def test_what_is_allowed_at_all_is_not_exceeded() -> None:
    limits = limits_after([took(2000.0, 40_000.0)], LIMITS)
    assert (limits.evaluation, limits.steps) == (3600.0, 86_400.0)
