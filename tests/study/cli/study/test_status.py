"""`autoresearch study status`."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import yaml
from click.testing import Result

from autoresearch.study.records import Block, Edit, Kind, Proposal, Purpose, RequestRecord

Command = Callable[..., Result]
Begin = Callable[..., Any]


@pytest.mark.usefixtures("night")
def test_it_says_what_the_study_is_bound_to_and_what_was_found(study: Command) -> None:
    result = study("status")
    assert (result.stderr, result.exit_code) == ("", 0)
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "study       night",
        "settings    preset cpu, 60 s a trial, seed 0, compiled",
        "data        builtin-v2048-c256, fingerprint ffffffffffff, context 256",
        "machine     a quiet machine, 2 cores, bf16, torch 2.13.0",
    ]
    assert "  sample    5: 1 kept, 1 discarded, 1 pruned, 1 out of memory, 1 interrupted" in lines
    assert "            edit: square the activation" in lines
    assert "verdict     real: it holds on fresh seeds, on both splits (paired t-test, 95 %)" in lines
    assert not any(line.startswith("running") for line in lines)


def test_a_trial_that_runs_is_shown_with_its_worker(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    number = night.sample("0", depth=3)
    last = study("status").stdout.splitlines()[-1]
    assert re.sub(r"0:00:\d\d", "0:00:00", last) == (
        f"running     trial {number} (sample), for 0:00:00, by process {os.getpid()} on this machine"
    )
    record = json.loads(study("status", "-f", "json").stdout)
    assert record["workers"] == [
        {"host": socket.gethostname(), "here": True, "pid": os.getpid(), "phase": "search", "trial": number}
    ]
    assert [trial["number"] for trial in record["open_trials"]] == [number]


def test_a_worker_without_a_trial_and_a_trial_without_a_worker(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    night.sample("0", depth=3)
    night.ledger.close_lease(night.worker)
    night.ledger.open_lease(night.run)
    first, second = study("status").stdout.splitlines()[-2:]
    assert first.startswith("running     between trials, by process ")
    assert second == "            trial 2 (sample): its worker is gone; the next optimize puts it right"


@pytest.mark.usefixtures("night")
def test_the_formats_for_programs(study: Command) -> None:
    record = json.loads(study("status", "-f", "json").stdout)
    assert record["counts"]["edit"] == {"keep": 1, "discard": 1, "crash": 1}
    assert record["incumbent"]["number"] == 6
    assert record["confirmation"]["verdict"] == "real"
    assert record["confirmation"]["test"]["real"] is True
    assert [step["version"] for step in record["steps"]] == [1, 2]
    assert yaml.safe_load(study("status", "-f", "yaml").stdout) == record
    values = dict(line.split("\t") for line in study("status", "-f", "value").stdout.splitlines())
    assert values["incumbent.values.depth"] == "2"
    assert values["settings.steps"] == ""
    assert json.loads(values["steps"]) == record["steps"]


def test_what_is_to_be_typed_to_confirm_leads_to_this_study(begin: Begin, study: Command, storage: str) -> None:
    night = begin("a night's study")
    night.baselines(1.41, 1.40)
    night.score(night.sample("0", depth=3), 1.30)
    command = f"autoresearch study optimize --storage {storage} --study-name 'a night'\"'\"'s study' --trials 0"
    assert f"            to confirm: {command}\n" in study("status").stdout


def test_a_study_in_which_nothing_was_tried(begin: Begin, study: Command) -> None:
    begin().end()
    assert study("status").stdout.splitlines()[-1] == "trials      none yet"


def test_on_either_kind_of_database(begin: Begin, study: Command, database_url: str) -> None:
    night = begin(url=database_url)
    night.baselines(1.41, 1.40)
    night.score(night.sample("0", depth=4), 1.38)
    night.confirm([1.411, 1.402], [1.381, 1.371])
    night.end()
    assert "verdict     real" in study("status", url=database_url).stdout


def test_a_study_of_several_workers_is_confirmed_by_as_many(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    night.score(night.sample("0", depth=3), 1.30)
    night.ledger.start_run({"workers": 2})
    assert "--study-name night --workers 2 --trials 0\n" in study("status").stdout


def test_what_the_model_cost_why_it_failed_and_what_waits(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    book = night.ledger.requests
    for draft in ("a", "b", "c"):
        request = RequestRecord(draft, Purpose.EDIT, "claude-opus-5-5", "f" * 64, [], Decimal("0.4"), night.worker)
        identity = book.reserve(request, None)
        assert identity is not None
        if draft == "a":
            assert book.answered(identity, "deeper", cost_usd=Decimal("0.1"), usage={}, stop_reason="end_turn")
        elif draft == "b":
            assert book.failed(identity, "answered 401: no", cost_usd=Decimal(0))
    incumbent = night.ledger.incumbent()
    edit = Edit("anthropic:a", "one layer more", "", (Block('"relu"', '"gelu"'),), program="f" * 64)
    night.ledger.propose(
        Proposal(edit.key, Kind.EDIT, night.first.sha256, incumbent.values, 0, 0, 0, edit.title, edit=edit)
    )
    lines = study("status").stdout.splitlines()
    at = lines.index("model       3 requests, $0.50; 1 failed, 1 under way")
    assert lines[at + 1 : at + 4] == [
        "            the last that failed: answered 401: no",
        "            $0.40 of it is the most that the ones of unknown cost can have cost",
        "waiting     one layer more: an edit that waits for its trial",
    ]
    record = json.loads(study("status", "-f", "json").stdout)
    assert record["model"] == {
        "requests": 3,
        "failed": 1,
        "spent_usd": 0.5,
        "unknown_usd": 0.4,
        "models": ["claude-opus-5-5"],
    }
    assert record["programs"] == []
