"""One trial from its proposal to its end, on both databases."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from optuna.trial import TrialState

from autoresearch.errors import KnobError, StudyError
from autoresearch.study.records import Kind, Status, TrialRecord
from autoresearch.study.storage import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Night


def test_a_claim_makes_an_optuna_trial_with_everything_the_proposal_says(night: Night) -> None:
    night.propose("baseline:0", title="baseline", system_attrs={"sampler:box": [1, 2]})
    trial = night.claim("baseline:0")
    assert isinstance(trial, TrialRecord)
    assert (trial.number, trial.kind, trial.status) == (0, Kind.BASELINE, Status.CLAIMED)
    [optuna_trial] = night.ledger.study.optuna.get_trials()
    assert optuna_trial.state is TrialState.RUNNING
    assert optuna_trial.params == night.values
    assert optuna_trial.system_attrs["sampler:box"] == [1, 2]
    assert optuna_trial.user_attrs == {
        "kind": "baseline",
        "revision": night.first.short,
        "title": "baseline",
        "status": "running",
    }


def test_a_trial_goes_through_its_states_and_optuna_learns_the_score(night: Night) -> None:
    number = night.begin("baseline:0")
    assert night.ledger.trial(number).status is Status.RUNNING
    assert night.ledger.report(number, 50, 2.0)
    result = {"total_seconds": 301.234, "peak_memory_bytes": 3 * 2**30, "mfu_percent": math.nan}
    assert night.ledger.judge(number, night.worker, 1.25, None, result)
    assert night.ledger.trial(number).status is Status.JUDGED
    settlement = night.ledger.settle(number, 0.1)
    assert (settlement.status, settlement.promotion.version) == (Status.MEASURED, 0)
    trial = night.ledger.trial(number)
    assert (trial.status, trial.val_bpb, trial.result["mfu_percent"]) == (Status.MEASURED, 1.25, None)
    assert trial.created_at <= trial.started_at <= trial.finished_at
    [optuna_trial] = night.ledger.study.optuna.get_trials()
    assert (optuna_trial.state, optuna_trial.value) == (TrialState.COMPLETE, 1.25)
    assert optuna_trial.intermediate_values == {50: 2.0}
    assert optuna_trial.user_attrs["seconds"] == 301.2
    assert optuna_trial.user_attrs["memory_gib"] == 3.0
    assert night.queue() == {"baseline:0": "done"}
    night.check()


def test_a_confirmation_keeps_both_scores(night: Night) -> None:
    number = night.begin("confirm:v0:baseline:0")
    night.ledger.judge(number, night.worker, 1.25, 1.5, {})
    assert night.ledger.settle(number, 0.1).status is Status.MEASURED
    assert night.ledger.trial(number).test_bpb == 1.5
    assert night.ledger.incumbent() is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_is_a_number(night: Night, value: float) -> None:
    number = night.begin("baseline:0")
    with pytest.raises(ValueError, match="without a score"):
        night.ledger.judge(number, night.worker, value, None, {})


def test_a_failed_trial_says_why_in_both_tables(night: Night) -> None:
    number = night.begin("replay:a")
    log = "Traceback\0 with a byte that PostgreSQL refuses, and half a character \udc80"
    assert night.ledger.fail(number, night.worker, Status.CRASH, "NameError: " + "x" * 200, log)
    trial = night.ledger.trial(number)
    assert (trial.status, trial.val_bpb) == (Status.CRASH, None)
    assert "with a byte" in trial.tail
    [optuna_trial] = night.ledger.study.optuna.get_trials()
    assert optuna_trial.state is TrialState.FAIL
    assert len(optuna_trial.user_attrs["reason"]) == 100
    assert night.queue() == {"replay:a": "done"}
    night.check()


def test_out_of_memory_is_a_constraint_that_samplers_learn_from(night: Night) -> None:
    number = night.begin("sample:0")
    night.ledger.fail(number, night.worker, Status.OOM, "out of memory", pruned=True, vram_excess_gib=1.5)
    [optuna_trial] = night.ledger.study.optuna.get_trials()
    assert (optuna_trial.state, optuna_trial.value) == (TrialState.PRUNED, None)
    assert optuna_trial.constraints == {"vram_gib": 1.5}
    assert optuna_trial.user_attrs["vram_excess_gib"] == 1.5


def test_a_pruned_trial_has_its_last_report_as_its_value(night: Night) -> None:
    number = night.begin("sample:0")
    night.ledger.report(number, 10, 3.0)
    night.ledger.report(number, 50, 2.5)
    night.ledger.fail(number, night.worker, Status.PRUNED, "worse than its like", pruned=True)
    [optuna_trial] = night.ledger.study.optuna.get_trials()
    assert (optuna_trial.state, optuna_trial.value) == (TrialState.PRUNED, 2.5)


def test_the_studys_pruner_decides_on_pruning(night: Night) -> None:
    class Above(type(night.ledger.study.optuna.pruner)):
        def prune(self, study: object, trial: object) -> bool:
            return bool(trial.intermediate_values[trial.last_step] > 2)

    night.ledger.study.optuna.pruner = Above()
    number = night.begin("sample:0")
    night.ledger.report(number, 10, 1.0)
    assert not night.ledger.should_prune(number)
    night.ledger.report(number, 20, 3.0)
    assert night.ledger.should_prune(number)


def test_every_operation_bears_repetition(night: Night) -> None:
    """An outage may hide that an operation succeeded."""
    ledger, worker = night.ledger, night.worker
    number = night.begin("baseline:0")
    assert ledger.start(number, worker)
    assert ledger.judge(number, worker, 1.25, None, {})
    assert ledger.judge(number, worker, 1.25, None, {})
    first = ledger.settle(number, 0.1)
    assert ledger.settle(number, 0.1) == first
    assert ledger.judge(number, worker, 1.25, None, {})
    failed = night.begin("sample:0")
    assert ledger.fail(failed, worker, Status.CRASH, "no")
    assert ledger.fail(failed, worker, Status.CRASH, "no")
    ledger.end_run(night.run)
    ended = ledger.run(night.run).ended_at
    ledger.end_run(night.run)
    assert ledger.run(night.run).ended_at == ended
    night.check()


def test_a_trial_belongs_to_its_worker(night: Night, make_night: Callable[..., Night]) -> None:
    number = night.begin("baseline:0")
    other = make_night().sign_on(night.run)
    assert not other.ledger.start(number, other.worker)
    assert not other.ledger.judge(number, other.worker, 1.0, None, {})
    assert not other.ledger.fail(number, other.worker, Status.CRASH, "not mine")
    assert night.ledger.trial(number).status is Status.RUNNING


def test_what_is_over_stays_over(night: Night) -> None:
    number = night.begin("sample:0")
    night.ledger.fail(number, night.worker, Status.CRASH, "no")
    assert not night.ledger.judge(number, night.worker, 1.0, None, {})
    assert not night.ledger.fail(number, night.worker, Status.OOM, "no")
    assert not night.ledger.report(number, 90, 1.0)
    with pytest.raises(StudyError, match="trial 0 is 'crash': only a judged one"):
        night.ledger.settle(number, 0.1)


def test_no_more_trials_are_started_than_the_run_may(database_url: str, make_night: Callable[..., Night]) -> None:
    night = make_night().sign_on(trial_limit=2)
    night.score("baseline:0", 2.0)
    night.score("sample:0", 2.0)
    night.propose("sample:1")
    assert night.claim("sample:1") is Refusal.QUOTA
    assert night.queue()["sample:1"] == "ready"
    assert night.score("confirm:v0:baseline:0", 2.0).status is Status.MEASURED  # not counted
    night.propose("replay:a", error="SEARCH block 1 was not found")  # neither is this
    trial = night.claim("replay:a")
    night.ledger.fail(trial.number, night.worker, Status.CRASH, "SEARCH block 1 was not found")
    assert night.ledger.run(night.run).trials_started == 2
    assert night.claim("sample:1") is Refusal.QUOTA
    night.check()


def test_a_proposal_is_claimed_once(night: Night, make_night: Callable[..., Night]) -> None:
    other = make_night().sign_on(night.run)
    night.propose("sample:0")
    assert isinstance(night.claim("sample:0"), TrialRecord)
    assert other.claim("sample:0") is Refusal.TAKEN
    assert night.ledger.run(night.run).trials_started == 1


def test_who_was_taken_for_dead_claims_nothing(night: Night) -> None:
    night.propose("sample:0")
    night.ledger.close_lease(night.worker)
    assert night.claim("sample:0") is Refusal.LEASE
    assert night.ledger.run(night.run).trials_started == 0


def test_an_interrupted_trial_is_run_again_unless_it_is_a_sample(night: Night) -> None:
    for key in ("baseline:0", "sample:0", "replay:a", "confirm:v0:baseline:0"):
        night.ledger.fail(night.begin(key), night.worker, Status.INTERRUPTED, "by the user")
    assert night.queue() == {
        "baseline:0": "ready",
        "sample:0": "done",
        "replay:a": "ready",
        "confirm:v0:baseline:0": "ready",
    }
    assert night.ledger.run(night.run).trials_started == 1
    night.finish(night.begin("baseline:0"), 2.0)
    assert night.statuses()["baseline:0"] == [Status.INTERRUPTED, Status.MEASURED]
    night.check()


def test_a_failure_cannot_have_a_scored_status(night: Night) -> None:
    number = night.begin("sample:0")
    with pytest.raises(ValueError, match="cannot fail as 'keep'"):
        night.ledger.fail(number, night.worker, Status.KEEP, "")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"depth": 4, "lr": 0.1}, "differ in knobs: \\['pattern'\\]"),
        ({"depth": 9, "lr": 0.1, "pattern": "S"}, "out of range"),
        ({"depth": 4, "lr": 0.1, "pattern": "X"}, "out of range"),
    ],
)
def test_values_that_do_not_fit_the_revision_are_never_queued(night: Night, values: dict, says: str) -> None:
    with pytest.raises(KnobError, match=says):
        night.propose("sample:0", values=values)
    assert night.queue() == {}


def test_what_is_not_there_is_said(night: Night) -> None:
    with pytest.raises(StudyError, match="no trial 7 in this study"):
        night.ledger.trial(7)
    with pytest.raises(StudyError, match="no proposal 12345"):
        night.ledger.claim(12345, night.run, night.worker)
    with pytest.raises(StudyError, match="no run 'x'"):
        night.ledger.run("x")


def test_the_dashboards_note_can_be_attached_after_the_end(night: Night) -> None:
    from optuna_dashboard import get_note, save_note

    night.score("baseline:0", 2.0)
    handle = night.ledger.optuna_trial(0)
    night.ledger.through_outages(lambda: save_note(handle, "why"))
    assert get_note(handle) == "why"
