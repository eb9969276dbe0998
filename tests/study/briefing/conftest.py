"""A study to brief about, made by the ledger's own operations with made-up scores."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoresearch.device import Device
from autoresearch.knobs import Knob, KnobValue
from autoresearch.study.briefing.program import Program, read_program
from autoresearch.study.briefing.write import write_briefing
from autoresearch.study.editors.editor import Briefing
from autoresearch.study.records import Block, Edit, Kind, Proposal, Revision, Status, TrialRecord
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import create_study, open_study

from ..scored_night import figures

SOURCE = '''\
"""A train.py that keeps the contract, as far as anybody looks here."""

from dataclasses import dataclass

PRESET = "cpu"


class GPT:
    activation = "relu"
'''
KNOBS = {
    "depth": Knob("depth", int, 2, IntDistribution(1, 8)),
    "matrix_lr": Knob("matrix_lr", float, 0.04, FloatDistribution(0.005, 0.2, log=True)),
    "pattern": Knob("pattern", str, "SL", CategoricalDistribution(("SL", "L"))),
    "device_batch_size": Knob("device_batch_size", int, 8, IntDistribution(1, 64)),
    "total_batch_size": Knob("total_batch_size", int, 2048, IntDistribution(256, 65536)),
}
SETTINGS = StudySettings(
    preset="cpu",
    seconds=60.0,
    steps=None,
    data="builtin-v2048-c256",
    fingerprint="f" * 64,
    vocab_size=2048,
    context=256,
    eval_tokens=131_072,
    device="cpu",
    machine="a quiet machine, 2 cores",
    precision="bf16-mixed",
    compiled=True,
    seed=7,
    torch="2.13.0",
)
DEVICE = Device("cpu", "CPU, 2 threads", 24 * 2**30, "bf16-mixed")
FORMAT = "TITLE: one line, then blocks."


@dataclass
class Night:
    """One worker's work on a study, without the training."""

    db: Database
    ledger: Ledger
    run: str
    worker: str
    knobs: Mapping[str, Knob] = field(default_factory=lambda: KNOBS)
    threshold: float = 0.01
    numbers: Iterator[int] = field(default_factory=itertools.count)
    device: Device = DEVICE
    answer_format: str = FORMAT

    def briefing(self, program: Program | None = None, settings: StudySettings = SETTINGS, **options: Any) -> Briefing:
        """What a model is told now."""
        given = {"answer_format": self.answer_format} | options
        return write_briefing(self.ledger, settings, program or read_program(), self.device, **given)

    def baselines(self, *scores: float) -> None:
        """Runs of revision 0, on one seed each."""
        first = self.ledger.revisions()[0]
        values = {name: knob.default for name, knob in self.knobs.items()}
        for index, val_bpb in enumerate(scores):
            title = f"baseline, seed {index}" if index else "baseline"
            self.score(self.claim(Kind.BASELINE, f"baseline:{index}", first, values, seed=index, title=title), val_bpb)

    def propose(self, kind: Kind, key: str, revision: Revision, values: Mapping[str, KnobValue], **fields: Any) -> int:
        """Queue a trial; the proposal's number."""
        incumbent = self.ledger.incumbent()
        version = -1 if incumbent is None else incumbent.version
        parent = None if incumbent is None or kind is Kind.BASELINE else incumbent.number
        given = {"seed": 0, "title": str(kind), "incumbent_version": version, "parent": parent} | fields
        assert self.ledger.propose(Proposal(key=key, kind=kind, revision=revision.sha256, values=values, **given))
        return next(number for number, ready in self.ledger.ready(version) if ready.key == key)

    def claim(self, kind: Kind, key: str, revision: Revision, values: Mapping[str, KnobValue], **fields: Any) -> int:
        """Propose, claim and start a trial; its number."""
        trial = self.ledger.claim(self.propose(kind, key, revision, values, **fields), self.run, self.worker)
        assert isinstance(trial, TrialRecord)
        assert self.ledger.start(trial.number, self.worker)
        return trial.number

    def score(self, number: int, val_bpb: float) -> int:
        """Judge a trial and settle it."""
        result = figures(number, val_bpb, self.ledger.trial(number).seed)
        assert self.ledger.judge(number, self.worker, val_bpb, None, result)
        self.ledger.settle(number, self.threshold)
        return number

    def fail(self, number: int, status: Status, reason: str, tail: str = "") -> int:
        """End a trial without a score."""
        assert self.ledger.fail(number, self.worker, status, reason, tail)
        return number

    def sample(self, **values: KnobValue) -> int:
        """A running sample on the incumbent's code."""
        incumbent = self.ledger.incumbent()
        assert incumbent is not None
        revision = self.ledger.revision(incumbent.revision)
        key = f"sample:{next(self.numbers)}"
        return self.claim(Kind.SAMPLE, key, revision, {**incumbent.values, **values}, title="sample")

    def revise(self, search: str, replace: str, title: str, hypothesis: str = "") -> tuple[Revision, Edit]:
        """An edit of the incumbent's code, written down."""
        incumbent = self.ledger.incumbent()
        assert incumbent is not None
        base = self.ledger.revision(incumbent.revision)
        source = base.source.replace(search, replace)
        blocks = (Block(search, replace),)
        about = {"title": title, "hypothesis": hypothesis or f"Because of {title}."}
        revision = Revision(
            _sha256(source), source, self.knobs, parent=base.sha256, blocks=blocks, editor="replay", **about
        )
        self.ledger.add_revision(revision)
        return revision, Edit(f"replay:{next(self.numbers)}", title, about["hypothesis"], blocks)

    def edit(self, search: str, replace: str, title: str, hypothesis: str = "") -> int:
        """A running edit of the incumbent's code."""
        revision, edit = self.revise(search, replace, title, hypothesis)
        incumbent = self.ledger.incumbent()
        assert incumbent is not None
        return self.claim(Kind.EDIT, edit.key, revision, incumbent.values, title=title, edit=edit)

    def queue_edit(self, search: str, replace: str, title: str) -> None:
        """An edit of the incumbent's code that waits for a worker."""
        revision, edit = self.revise(search, replace, title)
        incumbent = self.ledger.incumbent()
        assert incumbent is not None
        self.propose(Kind.EDIT, edit.key, revision, incumbent.values, title=title, edit=edit)


def _sha256(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


Begin = Callable[..., Night]


@pytest.fixture
def begin(sqlite_url: str) -> Iterator[Begin]:
    """Makes a study on some text and signs a worker on."""
    databases: list[Database] = []

    def start(source: str = SOURCE, knobs: Mapping[str, Knob] = KNOBS) -> Night:
        databases.append(Database.open(sqlite_url))
        return begun(databases[-1], source, knobs)

    yield start
    for database in databases:
        database.close()


@pytest.fixture
def night(begin: Begin) -> Night:
    """Three baselines, and nothing else yet."""
    night = begin()
    night.baselines(1.41, 1.40, 1.39)
    return night


@pytest.fixture(scope="session")
def written_night(prepared_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file of a busy night; to be copied."""
    path = tmp_path_factory.mktemp("night") / "study.db"
    shutil.copy(prepared_sqlite, path)
    with Database.open(f"sqlite:///{path}") as database:
        a_bit_of_everything(begun(database, SOURCE, KNOBS))
    return path


@pytest.fixture
def busy_night(sqlite_url: str, written_night: Path) -> Iterator[Night]:
    """A bit of everything, a promoted sample and a promoted edit among it; trials 0 to 10."""
    shutil.copy(written_night, sqlite_url.removeprefix("sqlite:///"))
    with Database.open(sqlite_url) as database:
        ledger = Ledger(database, open_study(database, None))
        run = ledger.runs()[0].id
        yield Night(database, ledger, run, ledger.open_lease(run), numbers=itertools.count(100))


def begun(database: Database, source: str, knobs: Mapping[str, Knob]) -> Night:
    """A study, and a worker signed on."""
    first = Revision(_sha256(source), source, knobs, title="first")
    ledger = Ledger(database, create_study(database, "night", SETTINGS.as_json(), first))
    run = ledger.start_run({})
    return Night(database, ledger, run, ledger.open_lease(run), knobs)


def a_bit_of_everything(night: Night) -> None:
    night.baselines(1.41, 1.40, 1.39)
    night.score(night.sample(matrix_lr=0.0512345), 1.38)  # kept
    night.fail(night.sample(depth=7), Status.PRUNED, "pruned at 50 % of the budget")
    crash = night.edit('"relu"', "nonsense", "an activation that is none")
    night.fail(crash, Status.CRASH, "train.py failed: NameError", "Traceback\n  \x1b[31mNameError\x1b[0m: nonsense\n")
    night.score(night.edit('"relu"', '"relu squared"', "square the activation"), 1.35)  # kept
    night.score(night.sample(depth=3), 1.36)
    night.score(night.edit('"relu squared"', '"gelu"', "a smoother activation"), 1.39)
    night.fail(night.sample(device_batch_size=64), Status.OOM, "out of memory")
    night.fail(night.sample(depth=1), Status.INTERRUPTED, "interrupted")
