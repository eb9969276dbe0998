"""How hard a trial is looked at."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from autoresearch.device import Device
from autoresearch.study.records import Incumbent, Kind, Status, TrialRecord
from autoresearch.study.suspicion import implausible_gain, probing_of

CPU = Device("cpu", "CPU, 2 threads", 2**34, "32-true")
HALF = Device("cpu", "CPU, 2 threads", 2**34, "bf16-mixed")
PLAIN = TrialRecord(0, Kind.BASELINE, Status.MEASURED, "r", {"depth": 2}, 0, None, -1, "", "baseline:0", "w", "run")
BASELINES = [
    replace(PLAIN, number=number, seed=number, val_bpb=score, result={"probe_difference": difference})
    for number, (score, difference) in enumerate(((1.40, 0.0), (1.41, 0.03), (1.42, 0.01)))
]
BEST = Incumbent(1, 4, "r", {}, 1.3)
SAMPLE = replace(PLAIN, number=5, kind=Kind.SAMPLE)


def test_before_a_baseline_the_precision_says_what_is_rounding() -> None:
    exact = probing_of(PLAIN, [], None, math.inf, CPU)
    half = probing_of(PLAIN, [], None, math.inf, HALF)
    assert exact.tolerance < half.tolerance
    assert exact.thorough_below is None


def test_then_the_baseline_does() -> None:
    assert probing_of(SAMPLE, BASELINES, BEST, 0.01, HALF).tolerance == pytest.approx(8 * 0.03)


def test_answers_that_agree_to_the_last_bit_leave_some_room() -> None:
    same = [replace(BASELINES[0], result={"probe_difference": 0.0})]
    assert 0 < probing_of(SAMPLE, same, BEST, 0.01, CPU).tolerance < probing_of(SAMPLE, [], BEST, 0.01, CPU).tolerance


def test_what_would_be_promoted_is_probed_in_full() -> None:
    assert probing_of(SAMPLE, BASELINES, BEST, 0.01, CPU).thorough_below == pytest.approx(1.29)
    confirms = replace(PLAIN, kind=Kind.CONFIRM)
    assert probing_of(confirms, BASELINES, BEST, math.inf, CPU).thorough_below == math.inf


def test_six_sigmas_are_not_believed_at_once_unless_the_user_says_so() -> None:
    sigma = 0.01 / 0.8862
    assert implausible_gain(BASELINES, None) == pytest.approx(6 * sigma, rel=1e-3)
    assert implausible_gain(BASELINES[:1], None) == math.inf
    assert implausible_gain(BASELINES, 0.5) == 0.5
