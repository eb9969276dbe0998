"""Which trials ran at another speed than their like."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoresearch.knobs import Knob
from autoresearch.study.records import Kind, Revision, Status, TrialRecord
from autoresearch.study.report.speed import odd_speeds

KNOBS = {
    "depth": Knob("depth", int, 2, IntDistribution(1, 8)),
    "short_window": Knob("short_window", float, 0.5, CategoricalDistribution((0.5, 0.25))),
    "lr": Knob("lr", float, 0.1, FloatDistribution(0.01, 1.0, log=True)),
}
VALUES = {"depth": 2, "short_window": 0.5, "lr": 0.1}
REVISIONS = {name: Revision(name, "", KNOBS) for name in ("one", "other")}
PLAIN = TrialRecord(0, Kind.SAMPLE, Status.DISCARD, "one", VALUES, 0, None, 0, "", "", "w", "run", val_bpb=1.4)


def night(*speeds: float | None, **changed: object) -> list[TrialRecord]:
    return [
        replace(PLAIN, number=number, result={"tokens_per_second": speed}, **changed)
        for number, speed in enumerate(speeds)
    ]


def test_who_is_over_a_twentieth_off_the_median_is_named_with_the_share() -> None:
    assert odd_speeds(night(1000, 1000, 940, 960, 1060), REVISIONS) == pytest.approx({2: -0.06, 4: 0.06})


def test_a_learning_rate_makes_no_difference_to_speed() -> None:
    alike = [replace(trial, values={**VALUES, "lr": 0.1 + trial.number / 10}) for trial in night(1000, 1000, 500)]
    assert set(odd_speeds(alike, REVISIONS)) == {2}


@pytest.mark.parametrize("change", [{"depth": 4}, {"short_window": 0.25}])
def test_another_depth_or_window_is_not_its_like(change: dict[str, float]) -> None:
    trials = night(1000, 1000, 1000, 500)
    trials[3] = replace(trials[3], values={**VALUES, **change})
    assert odd_speeds(trials, REVISIONS) == {}


def test_other_code_is_not_its_like() -> None:
    trials = night(1000, 1000, 1000, 500)
    trials[3] = replace(trials[3], revision="other")
    assert odd_speeds(trials, REVISIONS) == {}


def test_of_two_nobody_knows_which_is_odd_and_what_has_no_score_does_not_count() -> None:
    assert odd_speeds(night(1000, 500), REVISIONS) == {}
    crashed = night(1000, 500) + night(None, val_bpb=None, status=Status.CRASH)
    assert odd_speeds(crashed, REVISIONS) == {}
