"""Which knobs mattered, as Optuna says it of the same trials."""

from __future__ import annotations

import random
import re

import optuna
import pytest
from optuna.trial import create_trial

from autoresearch.study.briefing.importance import FEWEST
from autoresearch.study.records import Kind

from .conftest import KNOBS, Night


def sampled(night: Night, count: int, seed: int = 0) -> None:
    """Samples whose score hangs on the depth, and none that is kept."""
    draw = random.Random(seed)
    for _ in range(count):
        depth, matrix_lr = draw.randint(1, 8), draw.uniform(0.005, 0.2)
        night.score(night.sample(depth=depth, matrix_lr=matrix_lr), 1.42 + 0.01 * abs(depth - 3) + 0.0001 * matrix_lr)


def shares(told: str) -> dict[str, float]:
    found = re.search(r"^# Which knobs mattered, among (\d+) trials.*\n\n(.*)$", told, re.MULTILINE)
    assert found is not None
    return {name: float(share) for name, share in (part.split(" ") for part in found[2].split(", "))}


@pytest.mark.slow
def test_the_shares_are_those_of_optuna_over_the_trials_of_the_database(night: Night) -> None:
    sampled(night, 30)
    study = optuna.create_study()
    space = {name: knob.distribution for name, knob in KNOBS.items()}
    for trial in night.ledger.history():
        if trial.kind is Kind.SAMPLE or trial.number == 0:  # the baseline's other seeds are the same place again
            assert trial.val_bpb is not None
            study.add_trial(create_trial(params=dict(trial.values), distributions=space, value=trial.val_bpb))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    expected = optuna.importance.get_param_importances(study, evaluator=evaluator)
    told = night.briefing().changing
    assert "# Which knobs mattered, among 31 trials" in told
    assert shares(told) == pytest.approx(expected, abs=0.00501)
    assert next(iter(shares(told))) == "depth"


def test_of_a_few_trials_nothing_is_said(night: Night) -> None:
    sampled(night, FEWEST - 2)
    assert "Which knobs mattered" not in night.briefing().changing
    sampled(night, 1, seed=1)
    assert "Which knobs mattered" in night.briefing().changing


@pytest.mark.slow
def test_trials_of_older_code_count_by_the_measured_effect_of_the_edit_between(night: Night) -> None:
    sampled(night, 25)
    before = shares(night.briefing().changing)
    night.score(night.edit('"relu"', '"gelu"', "gelu"), 1.30)  # all of the older scores are .11 worse by that alone
    after = night.briefing().changing
    assert "among 27 trials" in after
    assert max(shares(after), key=lambda name: shares(after)[name]) == max(before, key=lambda name: before[name])
