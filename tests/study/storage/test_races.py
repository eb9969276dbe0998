"""Real processes that do the same at the same moment: two on SQLite, four on PostgreSQL."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from optuna.distributions import CategoricalDistribution

from autoresearch.study.records import Purpose, RequestRecord, Status, TrialRecord
from autoresearch.study.storage import Refusal

if TYPE_CHECKING:
    from .conftest import Night, Processes


@pytest.fixture
def workers(database_url: str) -> int:
    return 2 if database_url.startswith("sqlite") else 4


@pytest.fixture
def run(database_url: str, night_class: type[Night]) -> str:
    """A run that the children join, in a study with a measured baseline."""
    night = night_class(database_url).sign_on()
    night.score("baseline:0", 100.0)
    night.ledger.close_lease(night.worker)
    night.close()
    return night.run


@pytest.mark.slow
def test_a_night_of_trials(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int
) -> None:
    """Every worker proposes, claims, trains, judges and promotes as fast as it can, up to the run's limit."""
    first = night_class(database_url).sign_on(trial_limit=17)
    first.score("baseline:0", 100.0)
    run = first.run
    first.ledger.close_lease(first.worker)
    first.close()

    def work(index: int) -> int:
        night = night_class(database_url).sign_on(run)
        draw, done = random.Random(index), 0
        while True:
            night.reconcile()
            incumbent = night.ledger.incumbent()
            ready = night.ledger.ready(incumbent.version)
            if not ready:
                night.propose(f"sample:{night.ledger.sample_count()}", incumbent.version)
                continue
            trial = night.ledger.claim(ready[0][0], run, night.worker)
            if trial is Refusal.QUOTA:
                night.ledger.close_lease(night.worker)
                return done
            if isinstance(trial, TrialRecord):
                assert night.ledger.start(trial.number, night.worker)
                night.ledger.report(trial.number, 50, 1.0)
                night.finish(trial.number, incumbent.val_bpb - draw.choice([-1.0, 0.005, 0.5]))
                done += 1

    done = children.at_once(workers, work)
    night = night_class(database_url)
    assert sum(done) == 16
    assert min(done) > 0
    assert night.ledger.run(run).trials_started == 17
    assert [trial.number for trial in night.ledger.history()] == list(range(17))
    assert len(night.ledger.promotions()) > 1
    night.check()
    night.close()


def test_a_proposal_goes_to_one_worker_and_the_quota_holds(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int
) -> None:
    first = night_class(database_url).sign_on(trial_limit=5)
    for index in range(8):
        first.propose(f"sample:{index}")
    keys, run = list(first.queue()), first.run
    first.close()

    def work(index: int) -> list[str]:
        night = night_class(database_url).sign_on(run)
        return [str(getattr(night.claim(key), "number", "refused")) for key in keys]

    claimed = [answer for answers in children.at_once(workers, work) for answer in answers if answer != "refused"]
    assert sorted(claimed) == [str(number) for number in range(5)]


def test_every_promotion_counts_once(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int, run: str
) -> None:
    """All settle at once, each better than the last: whatever the order, the best is the incumbent."""

    def work(index: int) -> list[str]:
        night = night_class(database_url).sign_on(run)
        numbers = [night.begin(f"sample:{index}-{step}", version=0) for step in range(3)]
        while len(night.ledger.history()) < 1 + 3 * workers:  # the baseline, and everybody's
            pass  # what a promotion has overtaken can no longer be claimed
        for step, number in enumerate(numbers):
            night.ledger.judge(number, night.worker, 90.0 - 10 * step - index, None, {})
        statuses = [str(night.ledger.settle(number, 0.01).status) for number in numbers]
        night.ledger.close_lease(night.worker)
        return statuses

    children.at_once(workers, work)
    night = night_class(database_url)
    night.check()
    assert night.ledger.incumbent().val_bpb == 70.0 - (workers - 1)
    lost = [trial for trial in night.ledger.history() if trial.status is Status.DISCARD]
    assert all(trial.lost_race for trial in lost)
    night.close()


def test_a_thought_that_all_have_at_once_is_proposed_once(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int, run: str
) -> None:
    def work(index: int) -> int:
        night = night_class(database_url)
        return sum(night.propose(f"sample:{number}") for number in range(6))

    assert sum(children.at_once(workers, work)) == 6


def test_revisions_that_arrive_at_once_get_places_and_names_of_their_own(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int, run: str
) -> None:
    kinds = [CategoricalDistribution(["S", str(index)]) for index in range(4)]

    def work(index: int) -> None:
        night = night_class(database_url)
        for step in range(3):
            kind = kinds[(index + step) % 4]
            night.ledger.add_revision(night.revision_of(f"text {index} {step}", night.first, pattern=kind))
            night.ledger.add_revision(night.revision_of(f"shared text {step}", night.first, pattern=kinds[step]))

    children.at_once(workers, work)
    night = night_class(database_url)
    revisions = night.ledger.revisions()
    assert len(revisions) == 1 + 3 + 3 * workers
    ranges: dict[str, set[object]] = {}
    for revision in revisions:
        name = night.ledger.optuna_names(revision.sha256)["pattern"]
        ranges.setdefault(name, set()).add(revision.knobs["pattern"].distribution.choices)
    assert all(len(found) == 1 for found in ranges.values())
    assert set(ranges) == {"pattern", *(f"pattern_v{version}" for version in range(2, len(ranges) + 1))}
    night.close()


def test_the_last_cents_under_a_cap_are_spent_once(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int, run: str
) -> None:
    """In rounds: whenever a cap is reached, all of them have tried to be the last."""

    def work(index: int) -> int:
        night, sent = night_class(database_url), 0
        for cap in ("0.05", "0.10", "0.15", "0.20", "0.25"):
            request = RequestRecord("draft", Purpose.EDIT, "model", "", (), Decimal("0.01"), night.worker)
            while night.ledger.requests.reserve(replace(request, id=str(uuid.uuid4())), Decimal(cap)):
                sent += 1
        return sent

    sent = children.at_once(workers, work)
    night = night_class(database_url)
    assert sum(sent) == 25, sent
    assert night.ledger.requests.spent() == Decimal("0.25")
    assert sorted(request.position for request in night.ledger.requests.history()) == list(range(25))
    night.close()


def test_an_answer_that_a_dead_worker_left_is_taken_by_one(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int, run: str
) -> None:
    drafts = [f"draft-{index}" for index in range(10)]
    dead = night_class(database_url)
    for draft in drafts:
        request = RequestRecord(draft, Purpose.EDIT, "model", "", (), Decimal(1), "nobody")
        dead.ledger.requests.reserve(request, None)
        dead.ledger.requests.answered(request.id, "a reply", cost_usd=Decimal(1), usage={}, stop_reason="end_turn")
    dead.close()
    together = multiprocessing.get_context("fork").Barrier(workers)

    def work(index: int) -> list[str]:
        night, taken = night_class(database_url).sign_on(run), []
        for draft in drafts:
            together.wait(120)
            taken += [request.draft for request in night.ledger.requests.take(draft, night.worker)]
        together.wait(120)  # nobody dies before all are done
        return taken

    taken = children.at_once(workers, work)
    assert sorted(draft for found in taken for draft in found) == drafts


@pytest.mark.slow
def test_kills_at_random_moments(
    database_url: str, children: type[Processes], night_class: type[Night], workers: int, run: str
) -> None:
    """The study goes on, and at the end everything adds up."""
    reader, writer = os.pipe()

    def work() -> None:
        night = night_class(database_url, lambda point: os.write(writer, b".")).sign_on(run)
        draw = random.Random(os.getpid())
        while True:
            night.reconcile()
            incumbent = night.ledger.incumbent()
            for proposal_id in [found for found, _ in night.ledger.outdated(incumbent.version)]:
                night.ledger.mark_stale(proposal_id)
            if not night.ledger.ready(incumbent.version):
                night.propose(f"replay:{len(night.ledger.proposal_keys())}")
            trial = night.ledger.claim(night.ledger.ready(incumbent.version)[0][0], run, night.worker)
            night.ledger.start(trial.number, night.worker)
            night.finish(trial.number, incumbent.val_bpb - draw.choice([-1.0, 0.5]))

    draw = random.Random(0)
    kills = 24 // workers  # PostgreSQL takes longer to begin with
    for _ in range(kills):
        child = children.start(work)
        for _ in range(draw.randrange(1, 24)):  # a trial passes nine points
            os.read(reader, 1)
        time.sleep(draw.uniform(0.0, 0.02))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        os.set_blocking(reader, False)
        with contextlib.suppress(BlockingIOError):
            os.read(reader, 100_000)
        os.set_blocking(reader, True)
    os.close(reader)
    os.close(writer)
    night = night_class(database_url)
    night.reconcile()
    assert night.reconcile() == []
    night.check()
    assert len(night.ledger.history()) > kills // 2
    night.close()
