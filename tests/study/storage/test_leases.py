"""Which workers are alive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from autoresearch.errors import StudyError
from autoresearch.study.heartbeat import Heartbeat
from autoresearch.study.records import Status
from autoresearch.study.storage import Phase, processes
from autoresearch.study.storage.models import LeaseRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Night, Processes


def change(night: Night, **values: object) -> None:
    with night.db.transaction() as session:
        session.execute(update(LeaseRow).where(LeaseRow.worker == night.worker).values(**values))


def test_a_worker_signs_on_and_off(night: Night) -> None:
    [lease] = night.ledger.live_leases()
    assert (lease.worker, lease.run, lease.phase, lease.pid) == (night.worker, night.run, Phase.SEARCH, os.getpid())
    assert night.ledger.set_phase(night.worker, Phase.CONFIRM)
    assert night.ledger.live_leases()[0].phase is Phase.CONFIRM
    night.ledger.close_lease(night.worker)
    assert night.ledger.live_leases() == []
    assert not night.ledger.renew(night.worker)
    assert not night.ledger.set_phase(night.worker, Phase.SEARCH)


def test_renewing_moves_the_end_by_the_databases_clock(night: Night) -> None:
    assert night.ledger.renew(night.worker, ttl=1000.0)
    [lease] = night.ledger.live_leases()
    assert lease.expires_at - night.ledger.now() == pytest.approx(1000.0, abs=60.0)


def test_on_another_host_an_expired_lease_is_a_dead_worker(night: Night) -> None:
    number = night.begin("sample:0")
    change(night, host="elsewhere")
    assert night.reconcile() == []
    change(night, expires_at=night.ledger.now() - 1)
    assert night.ledger.live_leases() == []
    assert night.reconcile() == [
        f"worker {night.worker[:8]} (process {os.getpid()}) is gone",
        f"trial {number} (sample:0): its worker died",
    ]
    assert not night.ledger.renew(night.worker)
    assert not night.ledger.judge(number, night.worker, 1.0, None, {})
    assert night.ledger.trial(number).status is Status.INTERRUPTED
    night.check()


def test_on_its_own_host_a_living_process_is_no_dead_worker(night: Night) -> None:
    """It could not renew while the database was away."""
    change(night, expires_at=night.ledger.now() - 60)
    assert night.reconcile() == []
    assert night.ledger.renew(night.worker)


def test_a_process_that_hangs_for_an_hour_is_given_up(night: Night) -> None:
    change(night, expires_at=night.ledger.now() - 3700)
    assert len(night.reconcile()) == 1
    assert night.ledger.live_leases() == []


def test_a_process_that_is_gone_is_dead_at_once(
    database_url: str, make_night: Callable[..., Night], children: type[Processes], night_class: type[Night]
) -> None:
    assert children.in_child(lambda: night_class(database_url).sign_on()) == 0
    night = make_night()
    assert night.ledger.live_leases() == []
    assert len(night.reconcile()) == 1


def test_a_later_process_with_the_same_number_is_another_one(night: Night) -> None:
    change(night, process_started=processes.started() - 5)
    assert len(night.reconcile()) == 1


def test_a_run_ends_with_its_last_worker(night: Night, make_night: Callable[..., Night]) -> None:
    other = make_night().sign_on(night.run)
    night.ledger.close_lease(night.worker)
    night.reconcile()
    assert night.ledger.run(night.run).ended_at is None
    other.ledger.close_lease(other.worker)
    night.reconcile()
    assert night.ledger.run(night.run).ended_at is not None
    night.sign_on(night.run)  # a run between its start and its first lease looks like a dead one
    assert night.ledger.run(night.run).ended_at is None


def test_runs_are_written_down_in_order(night: Night) -> None:
    second = night.ledger.start_run({"sampler": "tpe"}, deadline=123.0, trial_limit=5)
    runs = night.ledger.runs()
    assert [run.id for run in runs] == [night.run, second]
    assert (runs[1].options, runs[1].deadline, runs[1].trial_limit) == ({"sampler": "tpe"}, 123.0, 5)
    with pytest.raises(StudyError, match="no run 'x'"):
        night.ledger.open_lease("x")


def test_a_worker_that_signs_on_again_does_so_in_its_phase(night: Night) -> None:
    with Heartbeat(night.ledger, night.run, lambda line: None) as beat:
        beat.confirming()
        first = beat.worker
        night.ledger.close_lease(first)
        beat.sign_on_again()
        lease = night.ledger.live_leases()[-1]
        assert (lease.worker, lease.phase) == (beat.worker, Phase.CONFIRM)
        assert beat.worker != first
