"""A small study to write in, and children that are killed."""

from __future__ import annotations

import gc
import hashlib
import itertools
import multiprocessing
import multiprocessing.process
import os
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sqlalchemy import select

from autoresearch.knobs import Knob
from autoresearch.study.records import OPEN, SCORED, Edit, Kind, Proposal, Revision, Status, TrialRecord
from autoresearch.study.storage import Database, Ledger, Refusal, Settlement, create_study, open_study, study_names
from autoresearch.study.storage.models import ProposalRow

VALUES = {"depth": 4, "lr": 0.1, "pattern": "S"}
THRESHOLD = 0.01


def knobs(**changed: Any) -> dict[str, Knob]:
    ranges: dict[str, Any] = {
        "depth": IntDistribution(1, 8),
        "lr": FloatDistribution(0.01, 1.0, log=True),
        "pattern": CategoricalDistribution(["S", "L"]),
    } | changed
    return {name: Knob(name, type(VALUES[name]), VALUES[name], found) for name, found in ranges.items()}


def revision_of(source: str, parent: Revision | None = None, **changed: Any) -> Revision:
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    return Revision(sha256, source, knobs(**changed), parent.sha256 if parent else None, title=f"title of {source}")


REVISION0 = revision_of("first text")


class Night:
    """One worker in one study, as a test drives it."""

    threshold = THRESHOLD
    values = VALUES
    first = REVISION0
    revision_of = staticmethod(revision_of)

    def __init__(self, url: str, observe: Callable[[str], None] = lambda point: None, **options: Any) -> None:
        self.db = Database.open(url)
        if study_names(self.db):
            study = open_study(self.db, None)
        else:
            study = create_study(self.db, "night", {"budget": 300.0}, REVISION0)
        self.ledger = Ledger(self.db, study, observe=observe, **options)
        self.run = ""
        self.worker = ""

    def sign_on(self, run: str | None = None, trial_limit: int | None = None) -> Night:
        self.run = run or self.ledger.start_run({}, trial_limit=trial_limit)
        self.worker = self.ledger.open_lease(self.run)
        return self

    def close(self) -> None:
        self.db.close()

    def propose(self, key: str, version: int | None = None, draft: str | None = None, **fields: Any) -> bool:
        """Queue `baseline:0`, `sample:3`, `replay:x` or `confirm:v1:baseline:0`."""
        kind = Kind(key.partition(":")[0].replace("replay", "edit"))
        incumbent = self.ledger.incumbent()
        version = version if version is not None else incumbent.version if incumbent else -1
        edit = Edit(key, f"edit {key}", "because", ()) if kind is Kind.EDIT else None
        fields = {"revision": REVISION0.sha256, "values": VALUES, "seed": 1, "edit": edit} | fields
        return self.ledger.propose(Proposal(key=key, kind=kind, incumbent_version=version, **fields), draft=draft)

    def proposal_id(self, key: str) -> int:
        with self.db.read() as session:
            return session.scalars(select(ProposalRow.id).where(ProposalRow.key == key)).one()

    def claim(self, key: str) -> TrialRecord | Refusal:
        return self.ledger.claim(self.proposal_id(key), self.run, self.worker)

    def begin(self, key: str, **fields: Any) -> int:
        """Propose, claim and start; the trial's number."""
        self.propose(key, **fields)
        trial = self.claim(key)
        assert isinstance(trial, TrialRecord), trial
        assert self.ledger.start(trial.number, self.worker)
        return trial.number

    def finish(self, number: int, val_bpb: float, threshold: float = THRESHOLD, **figures: Any) -> Settlement:
        """Judge and settle."""
        assert self.ledger.judge(number, self.worker, val_bpb, None, {"total_seconds": 3.0, **figures})
        return self.ledger.settle(number, threshold)

    def score(self, key: str, val_bpb: float, **fields: Any) -> Settlement:
        """From the proposal to the end."""
        return self.finish(self.begin(key, **fields), val_bpb)

    def reconcile(self) -> list[str]:
        return self.ledger.reconcile(lambda trial: THRESHOLD)

    def statuses(self) -> dict[str, list[Status]]:
        """What became of each key, trial by trial."""
        found: dict[str, list[Status]] = {}
        for trial in self.ledger.history():
            found.setdefault(trial.key, []).append(trial.status)
        return found

    def optuna_states(self) -> dict[int, TrialState]:
        return {trial.number: trial.state for trial in self.ledger.study.optuna.get_trials(deepcopy=False)}

    def queue(self) -> dict[str, str]:
        """Each proposal's status."""
        with self.db.read() as session:
            return {row.key: row.status for row in session.scalars(select(ProposalRow).order_by(ProposalRow.id))}

    def check(self) -> None:
        """What must hold whenever no worker is at work."""
        history = self.ledger.history()
        assert not [trial for trial in history if trial.status in OPEN]
        self._check_optuna(history)
        self._check_promotions(history)
        scored = Counter(trial.key for trial in history if trial.status in SCORED)
        assert all(count == 1 for count in scored.values()), scored
        with self.db.read() as session:
            rows = session.scalars(select(ProposalRow)).all()
        assert {row.status for row in rows} <= {"ready", "done", "stale"}
        counted = [row for row in rows if row.status == "done" and row.kind != "confirm" and not row.error]
        assert sum(run.trials_started for run in self.ledger.runs()) == len(counted)
        assert len({row.key for row in rows}) == len(rows)

    def _check_optuna(self, history: list[TrialRecord]) -> None:
        found = {trial.number: trial for trial in self.ledger.study.optuna.get_trials(deepcopy=False)}
        assert sorted(found) == [trial.number for trial in history]
        for trial in history:
            state = found[trial.number].state
            if trial.status in SCORED:
                assert (state, found[trial.number].value) == (TrialState.COMPLETE, trial.val_bpb)
            else:
                assert state in (TrialState.FAIL, TrialState.PRUNED)
            assert found[trial.number].user_attrs["status"] == trial.status

    def _check_promotions(self, history: list[TrialRecord]) -> None:
        promotions, incumbent = self.ledger.promotions(), self.ledger.incumbent()
        assert [made.version for made in promotions] == list(range(len(promotions)))
        if incumbent is None:
            assert not promotions
            return
        assert (incumbent.version, incumbent.number) == (promotions[-1].version, promotions[-1].number)
        kept = {trial.number for trial in history if trial.status is Status.KEEP}
        assert {made.number for made in promotions[1:]} == kept
        for before, after in itertools.pairwise(promotions):
            assert after.gain == pytest.approx(before.val_bpb - after.val_bpb)
            assert after.gain > after.threshold


@pytest.fixture
def night(database_url: str) -> Iterator[Night]:
    """A study with nothing in it, and a worker that has signed on."""
    night = Night(database_url).sign_on()
    yield night
    night.close()


@pytest.fixture
def make_night(database_url: str) -> Iterator[Callable[..., Night]]:
    """Further workers on the test's database; they are not signed on."""
    made: list[Night] = []

    def make(**options: Any) -> Night:
        made.append(Night(database_url, **options))
        return made[-1]

    yield make
    for night in made:
        night.close()


class Died(BaseException):
    """An operation went no further."""


class Processes:
    """Children with a fate."""

    @staticmethod
    def killing_at(point: str) -> Callable[[str], None]:
        """An observer that ends its process with kill -9."""

        def observe(name: str) -> None:
            if name == point:
                os.kill(os.getpid(), signal.SIGKILL)

        return observe

    @staticmethod
    def dying_at(point: str) -> Callable[[str], None]:
        """An observer that leaves the operation as kill -9 would, but lets its process do something else."""

        def observe(name: str) -> None:
            if name == point:
                raise Died

        return observe

    @staticmethod
    def start(work: Callable[[], None]) -> multiprocessing.process.BaseProcess:
        """Run in a process of its own, meanwhile."""
        child = _FORK.Process(target=work)
        _start(child)
        return child

    @staticmethod
    def in_child(work: Callable[[], None]) -> int:
        """Run in a process of its own; its exit code, -9 when it was killed. No database may be open here meanwhile."""
        child = Processes.start(work)
        child.join()
        assert child.exitcode is not None
        return child.exitcode

    @staticmethod
    def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
        """Run in so many processes at the same moment; what each returned."""
        gate = _FORK.Barrier(count)
        pipes = [_FORK.Pipe(duplex=False) for _ in range(count)]

        def enter(index: int) -> None:
            gate.wait(120)
            pipes[index][1].send(work(index))

        children = [_FORK.Process(target=enter, args=(index,)) for index in range(count)]
        for child in children:
            _start(child)
        for _, ours in pipes:
            ours.close()  # so that the end of a child is the end of its pipe
        results = [answers.recv() for answers, _ in pipes]
        for child in children:
            child.join()
        return results


_FORK = multiprocessing.get_context("fork")


def _start(child: multiprocessing.process.BaseProcess) -> None:
    with warnings.catch_warnings():  # from Python 3.12, about numpy's threads, which the child leaves alone
        warnings.simplefilter("ignore", DeprecationWarning)
        gc.freeze()  # a collection in the child would copy the parent's memory page by page
        child.start()
        gc.unfreeze()


@pytest.fixture
def children() -> type[Processes]:
    return Processes


@pytest.fixture
def night_class() -> type[Night]:
    return Night


@pytest.fixture
def died() -> type[Died]:
    return Died
