"""Studies for the commands to read, made by the ledger's own operations with made-up scores; and a way to run them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from optuna.distributions import FloatDistribution, IntDistribution

from autoresearch.errors import AutoresearchError
from autoresearch.knobs import Knob, KnobValue
from autoresearch.study.cli import cli
from autoresearch.study.records import Block, Edit, Kind, Proposal, Revision, Status, TrialRecord
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import create_study

from ... import terminal

SOURCE = '''\
"""A train.py that keeps the contract."""

from dataclasses import dataclass
from typing import Annotated

from optuna.distributions import FloatDistribution, IntDistribution

PRESET = "cpu"


@dataclass(frozen=True)
class Hyperparameters:
    depth: Annotated[int, IntDistribution(1, 8)] = 2
    matrix_lr: Annotated[float, FloatDistribution(0.005, 0.2, log=True)] = 0.04
    device_batch_size: Annotated[int, IntDistribution(1, 64)] = 2**3
    total_batch_size: Annotated[int, IntDistribution(256, 65536)] = 2**11


class GPT:
    activation = "relu"
'''
KNOBS = {
    "depth": Knob("depth", int, 2, IntDistribution(1, 8)),
    "matrix_lr": Knob("matrix_lr", float, 0.04, FloatDistribution(0.005, 0.2, log=True)),
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
    eval_tokens=100_000,
    device="cpu",
    machine="a quiet machine, 2 cores",
    precision="bf16",
    compiled=True,
    seed=0,
    torch="2.13.0",
)


def result_of(val_bpb: float, seed: int) -> dict[str, Any]:
    """The fields of a TrialResult."""
    return {
        "val_bpb": val_bpb,
        "training_seconds": 60.0,
        "startup_seconds": 3.0,
        "warmup_seconds": 5.0,
        "eval_seconds": 2.0,
        "total_seconds": 70.0,
        "peak_memory_bytes": int(1.25 * 2**30),
        "mfu_percent": None,
        "tokens": 966_656,
        "tokens_per_second": 16_110.9,
        "epochs": 0.3,
        "steps": 472,
        "parameters": 1_179_904,
        "eval_tokens": 100_000,
        "seed": seed,
    }


def revision_of(source: str, **fields: Any) -> Revision:
    """A text with the knobs of `SOURCE`."""
    return Revision(hashlib.sha256(source.encode()).hexdigest(), source, KNOBS, **fields)


@dataclass
class Night:
    """One worker's work on a study, without the training."""

    ledger: Ledger
    run: str
    worker: str
    threshold: float = 0.01
    current: dict[str, KnobValue] = field(default_factory=lambda: {name: knob.default for name, knob in KNOBS.items()})

    @property
    def first(self) -> Revision:
        """Revision 0."""
        return self.ledger.revisions()[0]

    def claim(self, kind: Kind, key: str, revision: Revision, values: Mapping[str, KnobValue], **fields: Any) -> int:
        """Propose a trial, claim it and start it."""
        incumbent = self.ledger.incumbent()
        version = -1 if incumbent is None else incumbent.version
        parent = None if incumbent is None or kind is Kind.BASELINE else incumbent.number
        defaults = {"seed": 0, "title": str(kind), "incumbent_version": version, "parent": parent}
        proposal = Proposal(key=key, kind=kind, revision=revision.sha256, values=values, **(defaults | fields))
        assert self.ledger.propose(proposal)
        identity = next(number for number, ready in self.ledger.ready(version) if ready.key == key)
        trial = self.ledger.claim(identity, self.run, self.worker)
        assert isinstance(trial, TrialRecord)
        assert self.ledger.start(trial.number, self.worker)
        return trial.number

    def score(self, number: int, val_bpb: float, test_bpb: float | None = None) -> int:
        """Judge a trial and settle it."""
        result = result_of(val_bpb, self.ledger.trial(number).seed)
        assert self.ledger.judge(number, self.worker, val_bpb, test_bpb, result)
        self.ledger.settle(number, self.threshold)
        return number

    def baselines(self, *scores: float) -> None:
        """Runs of revision 0 on one seed each."""
        for index, val_bpb in enumerate(scores):
            title = f"baseline, seed {index}" if index else "baseline"
            number = self.claim(Kind.BASELINE, f"baseline:{index}", self.first, self.current, seed=index, title=title)
            self.score(number, val_bpb)

    def sample(self, key: str, **values: KnobValue) -> int:
        """A running sample on the incumbent's code."""
        incumbent = self.ledger.incumbent()
        assert incumbent is not None
        revision = self.ledger.revision(incumbent.revision)
        title = f"sample on {revision.short}"
        return self.claim(Kind.SAMPLE, f"sample:{key}", revision, {**incumbent.values, **values}, title=title)

    def edit(self, search: str, replace: str, title: str, key: str = "") -> int:
        """A running edit of the incumbent's code."""
        incumbent = self.ledger.incumbent()
        assert incumbent is not None
        base = self.ledger.revision(incumbent.revision)
        edit = Edit(key or f"replay:{title}", title, f"Because of {title}.", (Block(search, replace),))
        revision = revision_of(
            base.source.replace(search, replace),
            parent=base.sha256,
            title=title,
            hypothesis=edit.hypothesis,
            blocks=edit.blocks,
            editor="replay",
        )
        self.ledger.add_revision(revision)
        return self.claim(Kind.EDIT, edit.key, revision, incumbent.values, title=title, edit=edit)

    def fail(self, number: int, status: Status, reason: str, tail: str = "", **result: Any) -> int:
        """End a trial without a score."""
        assert self.ledger.fail(number, self.worker, status, reason, tail, result=result)
        return number

    def confirm(self, baseline: list[float], incumbent: list[float]) -> None:
        """Both again on fresh seeds, the test split .05 above."""
        best = self.ledger.incumbent()
        assert best is not None
        code = {"baseline": self.first, "incumbent": self.ledger.revision(best.revision)}
        values = {"baseline": self.current, "incumbent": best.values}
        for index, scores in enumerate(zip(baseline, incumbent, strict=True)):
            for role, score in zip(("baseline", "incumbent"), scores, strict=True):
                key = f"confirm:v{best.version}:{role}:{index}"
                title = f"{role} again, seed {1000 + index}"
                number = self.claim(Kind.CONFIRM, key, code[role], values[role], seed=1000 + index, title=title)
                self.score(number, score, score + 0.05)

    def end(self) -> None:
        """Go home."""
        self.ledger.close_lease(self.worker)
        self.ledger.end_run(self.run)


def begun(database: Database, name: str) -> Night:
    """A study, and a worker signed on."""
    ledger = Ledger(database, create_study(database, name, SETTINGS.as_json(), revision_of(SOURCE, title="first")))
    run = ledger.start_run({})
    return Night(ledger, run, ledger.open_lease(run))


@pytest.fixture
def storage(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def begin(storage: str) -> Iterator[Callable[..., Night]]:
    """Makes a study and signs a worker on."""
    databases = []

    def start(name: str = "night", url: str = storage) -> Night:
        database = Database.open(url)
        databases.append(database)
        return begun(database, name)

    yield start
    for database in databases:
        database.close()


def whole_night(night: Night) -> Night:
    """Three baselines, a bit of everything, a confirmation; trials 0 to 14."""
    night.baselines(1.41, 1.40, 1.39)
    night.score(night.sample("3", matrix_lr=0.0512345), 1.38)  # kept
    night.fail(night.sample("4", depth=7), Status.PRUNED, "pruned at 50 % of the budget", last_report=[50, 1.6])
    crash = night.edit('"relu"', "nonsense", "an activation that is none")
    night.fail(crash, Status.CRASH, "train.py failed: NameError", "Traceback\n  \x1b[31mNameError\x1b[0m: nonsense\n")
    night.score(night.edit('"relu"', '"relu squared"', "square the activation"), 1.35)  # kept
    night.score(night.sample("7", depth=3), 1.36)
    night.score(night.edit('"relu squared"', '"gelu"', "a smoother activation"), 1.39)
    night.fail(night.sample("9", device_batch_size=64), Status.OOM, "out of memory")
    night.fail(night.sample("10", depth=1), Status.INTERRUPTED, "interrupted")
    night.confirm([1.412, 1.401], [1.360, 1.352])
    night.end()
    return night


@pytest.fixture(scope="session")
def written_night(prepared_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file of a whole night; to be copied."""
    path = tmp_path_factory.mktemp("night") / "study.db"
    shutil.copy(prepared_sqlite, path)
    with Database.open(f"sqlite:///{path}") as database:
        whole_night(begun(database, "night"))
    return path


@pytest.fixture
def night(storage: str, written_night: Path) -> Path:
    """Puts a whole night in place of the empty database."""
    return Path(shutil.copy(written_night, storage.removeprefix("sqlite:///")))


@pytest.fixture
def study(storage: str) -> Callable[..., Result]:
    """Runs `autoresearch study` on that database; an error of ours is the result's `exception`."""

    def run(command: str, *arguments: str, url: str = storage) -> Result:
        return CliRunner().invoke(cli, ["study", command, "--storage", url, *arguments])

    return run


@pytest.fixture
def refusal(study: Callable[..., Result]) -> Callable[..., str]:
    """The one line that a command refuses its input with, in words of ours or of click's; its exit code is 2."""

    def run(command: str, *arguments: str, **options: str) -> str:
        result = study(command, *arguments, **options)
        assert result.stdout == ""
        if not isinstance(result.exception, AutoresearchError):
            assert result.exit_code == 2
            return result.stderr.splitlines()[-1]
        assert result.exception.exit_code == 2
        assert "\n" not in str(result.exception)
        return str(result.exception)

    return run


@pytest.fixture
def on_a_terminal(storage: str) -> Callable[..., list[str]]:
    """Runs `autoresearch study` on a terminal of some width; gives the lines that it prints there."""

    def run(command: str, *arguments: str, columns: int = 80) -> list[str]:
        return terminal.on_a_terminal("study", command, "--storage", storage, *arguments, columns=columns).splitlines()

    return run
