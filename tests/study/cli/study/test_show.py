"""`autoresearch study show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from click.testing import Result

from autoresearch.study.records import Kind, Proposal, Purpose, RequestRecord, TrialRecord
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

Command = Callable[..., Result]
Begin = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("night")


def test_an_edit_is_shown_with_its_reasons_figures_values_and_code(study: Command) -> None:
    text = study("show", "6").stdout
    assert text.startswith("trial       6: edit, keep\neditor      replay\ntried       square the activation\n")
    for line in (
        "hypothesis  Because of square the activation.",
        "reason      better than version 1 by 0.0300",
        "val_bpb     1.350000, gain +0.030000 over its parent",
        "speed       472 steps, 966,656 tokens, 16,111 tokens/s",
        "memory      1.25 GiB",
        '-    activation = "relu"',
        '+    activation = "relu squared"',
    ):
        assert f"{line}\n" in text
    assert "parent      trial 3, revision " in text


def test_an_edit_of_a_model_is_shown_with_what_it_cost(storage: str, study: Command) -> None:
    with Database.open(storage) as database:
        ledger = Ledger(database, open_study(database, None))
        for cost in ("0.11", "0.05"):  # a reply that went back, and the next
            request = RequestRecord("a", Purpose.EDIT, "claude-opus-5-5", "f" * 64, [], Decimal(1), "worker")
            identity = ledger.requests.reserve(request, None)
            assert identity is not None
            ledger.requests.answered(identity, "gelu", cost_usd=Decimal(cost), usage={}, stop_reason="end_turn")
        incumbent = ledger.incumbent()
        assert incumbent is not None
        proposal = Proposal(
            "anthropic:a@v2",
            Kind.EDIT,
            incumbent.revision,
            incumbent.values,
            0,
            incumbent.version,
            incumbent.number,
            "gelu",
        )
        ledger.propose(proposal)
        run = ledger.start_run({})
        trial = ledger.claim(ledger.waiting()[0][0], run, ledger.open_lease(run))
        assert isinstance(trial, TrialRecord)
    number = str(trial.number)
    assert "editor      anthropic, 2 requests to claude-opus-5-5, $0.16\n" in study("show", number).stdout
    record = json.loads(study("show", number, "-f", "json").stdout)
    assert (record["editor"], record["requests"], record["cost_usd"]) == ("anthropic", 2, 0.16)


def test_a_sample_is_shown_with_what_it_changed(study: Command) -> None:
    lines = study("show", "3").stdout.splitlines()
    assert "tried       matrix_lr=0.05123" in lines
    assert "  matrix_lr          0.05123         trial 0 has 0.04" in lines
    assert "  depth              2" in lines
    assert "code" not in lines


def test_a_crash_is_shown_with_the_end_of_its_log_without_control_codes(study: Command) -> None:
    text = study("show", "5").stdout
    assert "reason      train.py failed: NameError\n" in text
    assert text.endswith("end of the log\n  Traceback\n    NameError: nonsense\n")


def test_a_sample_that_was_stopped_says_where(study: Command) -> None:
    assert "stopped at  50 % of the budget, 1.6000 bits a byte in training\n" in study("show", "4").stdout


def test_a_confirmation_has_a_test_score(study: Command) -> None:
    assert "test_bpb    1.410000\n" in study("show", "12").stdout


def test_for_programs(study: Command) -> None:
    record = json.loads(study("show", "6", "-f", "json").stdout)
    assert record["result"]["steps"] == 472
    assert record["hypothesis"] == "Because of square the activation."
    assert record["diff"].splitlines()[-1] == '+    activation = "relu squared"'
    sample = json.loads(study("show", "3", "-f", "json").stdout)
    assert sample["changed"] == {"matrix_lr": {"parent": 0.04, "trial": 0.0512345}}
    assert sample["diff"] == ""


def test_for_a_shell_each_field_is_one_line(study: Command) -> None:
    lines = study("show", "5", "-f", "value").stdout.splitlines()
    assert all(line.count("\t") == 1 for line in lines)
    values = dict(line.split("\t") for line in lines)
    assert values["kind"] == "edit"
    assert json.loads(values["tail"]).startswith("Traceback\n")


def test_best_and_baseline_are_names_too(study: Command) -> None:
    assert study("show", "best").stdout == study("show", "6").stdout
    assert study("show", "baseline").stdout == study("show", "0").stdout


@pytest.mark.parametrize("name", ["99", "x", "-1", "3.0", "٣", ""])
def test_a_trial_that_there_is_not(refusal: Callable[..., str], name: str) -> None:
    expected = f"there is no trial {name!r} in study 'night': expected a number from 0 to 14, best or baseline"
    assert refusal("show", "--", name) == expected


def test_a_trial_that_ran_at_another_speed_than_its_like_says_so(begin: Begin, study: Command, storage: str) -> None:
    night = begin("busy")
    night.baselines(1.41, 1.40, 1.39)
    number = night.claim(Kind.BASELINE, "baseline:3", night.first, night.current, seed=3)
    result = {"steps": 400, "tokens": 800_000, "tokens_per_second": 14_000.0, "total_seconds": 70.0}
    assert night.ledger.judge(number, night.worker, 1.43, None, result)
    night.ledger.settle(number, night.threshold)
    night.end()
    shown = study("show", str(number), "--study-name", "busy").stdout
    assert "speed       400 steps, 800,000 tokens, 14,000 tokens/s (-13% against its like)\n" in shown
    assert "against its like" not in study("show", "0", "--study-name", "busy").stdout
    assert "speed       over 5% off the tokens/s of their like: 3\n" in study("status", "--study-name", "busy").stdout
