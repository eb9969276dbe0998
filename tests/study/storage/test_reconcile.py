"""kill -9 between any two writes of a trial's life: the next worker goes on, and nothing is lost or counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optuna.trial import TrialState

from autoresearch.study.records import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Night, Processes

CLAIMING = ["claim:taken", "claim:optuna", "claim:row"]


def live(night: Night, life: str, key: str, **fields: object) -> None:
    """A worker's whole trial: one that is kept, one that crashes, one that runs out of memory."""
    number = night.begin(key, **fields)
    night.ledger.report(number, 50, 2.0)
    if life == "crash":
        night.ledger.fail(number, night.worker, Status.CRASH, "NameError", "Traceback")
    elif life == "oom":
        night.ledger.fail(number, night.worker, Status.OOM, "too big", pruned=True, vram_excess_gib=1.0)
    else:
        incumbent = night.ledger.incumbent()
        night.finish(number, incumbent.val_bpb - 0.5 if incumbent else 100.0)


# Before its trial was decided an edit is tried again; a sample only if there was no trial of it yet.
UNDECIDED = [*CLAIMING, "start", "report"]
LIVES = {
    ("replay", "keep"): [*UNDECIDED, "judge", "settle:promoted", "settle:attrs", "settle:told"],
    ("replay", "crash"): ["fail:row", "fail:attrs", "fail:told"],
    ("sample", "keep"): UNDECIDED,
    ("sample", "oom"): ["fail:row", "fail:attrs"],
}


@pytest.mark.slow
def test_kill_9_at_every_point(database_url: str, children: type[Processes], night_class: type[Night]) -> None:
    night = night_class(database_url).sign_on()
    live(night, "keep", "baseline:0")
    night.ledger.close_lease(night.worker)
    night.close()
    for (kind, life), points in LIVES.items():
        if kind == "sample" and "postgresql" in database_url:
            continue  # the rule for samples is the same there
        for point in points:
            _kill_and_go_on(database_url, children, night_class, kind, life, point)


def _kill_and_go_on(
    url: str, children: type[Processes], night_class: type[Night], kind: str, life: str, point: str
) -> None:
    key = f"{kind}:{life}-{point}"

    def work() -> None:
        live(night_class(url, children.killing_at(point)).sign_on(), life, key)

    assert children.in_child(work) == -9, key
    night = night_class(url)
    kept = len(night.ledger.promotions())
    lines = night.reconcile()
    assert lines, key
    assert night.reconcile() == [], key
    again = point in UNDECIDED and (kind == "replay" or point in CLAIMING[:2])
    assert night.queue()[key] == ("ready" if again else "done"), key
    expected = {"keep": Status.KEEP, "crash": Status.CRASH, "oom": Status.OOM}[life]
    if point in UNDECIDED:
        died = [] if point == "claim:taken" else [Status.INTERRUPTED]
        assert night.statuses().get(key, []) == died, key
        if again:
            night.sign_on()
            trial = night.claim(key)
            night.ledger.start(trial.number, night.worker)
            night.finish(trial.number, night.ledger.incumbent().val_bpb)
            assert night.statuses()[key] == [*died, Status.DISCARD], key
    else:
        assert night.statuses()[key] == [expected], key
    if life == "keep" and point not in UNDECIDED:
        assert len(night.ledger.promotions()) == kept + (point == "judge"), key  # else it was promoted before the end
    if night.worker:
        night.ledger.close_lease(night.worker)
    assert all(run.ended_at is not None for run in night.ledger.runs()[:-1]), key
    night.check()
    night.close()


def test_kill_9_of_the_first_baseline(database_url: str, children: type[Processes], night_class: type[Night]) -> None:
    """The first incumbent comes of it, once."""

    def work() -> None:
        live(night_class(database_url, children.killing_at("judge")).sign_on(), "keep", "baseline:0")

    assert children.in_child(work) == -9
    night = night_class(database_url)
    assert night.ledger.incumbent() is None
    assert night.reconcile()[1:] == ["trial 0 was judged but not settled: measured"]
    assert night.ledger.incumbent().version == 0
    night.check()
    night.close()


@pytest.mark.slow
def test_kill_9_while_reconciling(
    sqlite_url: str, children: type[Processes], night_class: type[Night], died: type[BaseException]
) -> None:
    """The next reconciliation finishes what the killed one began."""
    points = [
        "reconcile:lease",
        "reconcile:orphan",
        "reconcile:taken",
        "reconcile:row",
        "reconcile:attrs",
        "reconcile:told",
    ]
    deaths = ("claim:taken", "claim:optuna", "start")
    night_class(sqlite_url).close()
    for index, point in enumerate(points):

        def work(index: int = index) -> None:
            for death in deaths:
                night = night_class(sqlite_url, children.dying_at(death)).sign_on()
                with pytest.raises(died):
                    live(night, "keep", f"replay:{index}-{death}", version=-1)

        def reconcile(point: str = point) -> None:
            night_class(sqlite_url, children.killing_at(point)).reconcile()

        assert children.in_child(work) == 0
        assert children.in_child(reconcile) == -9, point
        night = night_class(sqlite_url)
        night.reconcile()
        night.check()
        assert [night.queue()[f"replay:{index}-{death}"] for death in deaths] == ["ready"] * 3
        assert sum(run.trials_started for run in night.ledger.runs()) == 0
        night.close()


def test_an_edit_that_takes_its_worker_down_twice_is_given_up(
    sqlite_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    def work() -> None:
        night = night_class(sqlite_url, children.killing_at("start")).sign_on()
        night.begin("replay:bomb", version=-1)

    night_class(sqlite_url).close()
    for _ in range(2):
        assert children.in_child(work) == -9
        night = night_class(sqlite_url)
        night.reconcile()
        night.close()
    night = night_class(sqlite_url)
    assert night.statuses() == {"replay:bomb": [Status.INTERRUPTED, Status.CRASH]}
    assert night.ledger.trial(1).reason == "its worker died twice while it ran: not tried again"
    assert night.queue() == {"replay:bomb": "done"}
    assert night.optuna_states() == {0: TrialState.FAIL, 1: TrialState.FAIL}
    night.check()
    night.close()


def test_an_edit_whose_worker_died_before_it_was_started_is_not_to_blame(
    sqlite_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    def work() -> None:
        night_class(sqlite_url, children.killing_at("claim:row")).sign_on().begin("replay:a", version=-1)

    night_class(sqlite_url).close()
    for _ in range(2):
        assert children.in_child(work) == -9
        night = night_class(sqlite_url)
        night.reconcile()
        assert night.queue() == {"replay:a": "ready"}
        night.close()


def test_a_living_workers_trials_are_left_alone(night: Night, make_night: Callable[..., Night]) -> None:
    other = make_night().sign_on(night.run)
    night.begin("sample:0")
    judged = night.begin("baseline:0")
    night.ledger.judge(judged, night.worker, 2.0, None, {})
    assert other.reconcile() == []
    assert night.statuses() == {"sample:0": [Status.RUNNING], "baseline:0": [Status.JUDGED]}


def test_a_worker_that_stalls_in_a_claim_until_it_is_taken_for_dead_loses_it(
    night: Night, make_night: Callable[..., Night]
) -> None:
    """Its claim was taken back between the Optuna trial and our row, or before either."""
    for point in ("claim:taken", "claim:optuna"):
        reaper = make_night()

        slow: list[Night] = []

        def observe(name: str, point: str = point, reaper: Night = reaper, slow: list[Night] = slow) -> None:
            if name == point:
                reaper.ledger.close_lease(slow[0].worker)
                reaper.reconcile()

        slow.append(make_night(observe=observe).sign_on(night.run))
        slow[0].propose(f"sample:{point}")
        assert slow[0].claim(f"sample:{point}") == "lease"
        assert night.queue()[f"sample:{point}"] == "ready"
    assert {tuple(statuses) for statuses in night.statuses().values()} == {(Status.INTERRUPTED,)}
    night.check()


def test_a_claim_that_was_taken_back_and_made_by_another_stays_with_that_one(
    night: Night, make_night: Callable[..., Night], died: type[BaseException]
) -> None:
    """The first claimer stalls, loses its lease, makes its Optuna trial all the same, and dies then."""
    night.propose("sample:0")
    slow: list[Night] = []

    def observe(name: str) -> None:
        if name == "claim:taken":
            night.ledger.close_lease(slow[0].worker)
            night.reconcile()
            assert night.ledger.start(night.claim("sample:0").number, night.worker)
        if name == "claim:optuna":
            raise died

    slow.append(make_night(observe=observe).sign_on(night.run))
    with pytest.raises(died):
        slow[0].claim("sample:0")
    assert night.reconcile() == ["trial 1 (sample:0) was interrupted while it was claimed"]
    assert night.queue() == {"sample:0": "taken"}
    assert night.statuses() == {"sample:0": [Status.RUNNING, Status.INTERRUPTED]}
    assert night.ledger.run(night.run).trials_started == 1
    night.propose("baseline:0")
    night.score("baseline:0", 2.0)
    night.finish(0, 3.0)
    night.check()


def test_an_optuna_trial_that_was_made_twice_for_one_claim_is_closed(night: Night) -> None:
    """Optuna repeats by itself what failed, also where only the answer was lost."""
    number = night.begin("sample:0")
    storage, study = night.db.storage, night.ledger.study
    [trial] = storage.get_all_trials(study.optuna_id)
    storage.create_new_trial(study.optuna_id, trial)
    assert night.reconcile() == ["trial 1 (sample:0) was interrupted while it was claimed"]
    assert night.queue() == {"sample:0": "taken"}
    assert night.ledger.trial(number).status is Status.RUNNING
    assert night.optuna_states() == {0: TrialState.RUNNING, 1: TrialState.FAIL}


def test_a_trial_that_somebody_asked_optuna_for_is_not_ours(night: Night) -> None:
    theirs = night.ledger.study.optuna.ask()
    assert night.reconcile() == []
    assert night.optuna_states() == {theirs.number: TrialState.RUNNING}
    assert night.begin("sample:0") == theirs.number + 1


def test_reconciliations_at_the_same_moment_double_nothing(
    database_url: str, children: type[Processes], night_class: type[Night], died: type[BaseException]
) -> None:
    night = night_class(database_url).sign_on()
    live(night, "keep", "baseline:0")
    night.ledger.close_lease(night.worker)
    night.close()

    def work() -> None:
        for death in ["claim:taken", "claim:optuna", "claim:row", "start", "settle:promoted", "settle:attrs", "judge"]:
            night = night_class(database_url, children.dying_at(death)).sign_on()
            with pytest.raises(died):
                live(night, "keep", f"replay:{death}")

    assert children.in_child(work) == 0
    lines = children.at_once(4, lambda index: night_class(database_url).reconcile())
    said = [line for found in lines for line in found if "Optuna did not know" not in line]  # that is told alike by all
    assert len(said) == len(set(said)) == 7 + 5, said
    night = night_class(database_url)
    night.check()
    assert len(night.ledger.promotions()) == 1 + 3
    assert sum(run.trials_started for run in night.ledger.runs()) == 1 + 3
    night.close()
