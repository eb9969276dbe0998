"""Whole studies of tiny trials: real workers, real processes, a model of a few thousand parameters."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from autoresearch.data.dataset import Dataset
from autoresearch.presets import PRESETS, retarget
from autoresearch.revision import package_source, with_defaults
from autoresearch.study.cli import cli
from autoresearch.study.records import OPEN, SCORED, Kind, Status
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

from ...forks import Forks

STEPS = 3


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's train.py with knobs for a model that trains in no time."""
    small = {
        "depth": 1,
        "aspect_ratio": 32,
        "head_dim": 32,
        "device_batch_size": 4,
        "total_batch_size": 128,
        "momentum_warmup_steps": 2,
        "matrix_lr": 0.005,
    }
    ranges = {
        "depth": IntDistribution(1, 2),
        "aspect_ratio": IntDistribution(32, 64),
        "device_batch_size": CategoricalDistribution((2, 4)),
        "total_batch_size": CategoricalDistribution((128, 256)),
    }
    path = tmp_path_factory.mktemp("source") / "train.py"
    text = with_defaults(retarget(package_source(), PRESETS["cpu"]), small, ranges)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def edits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`--editor` for edits that mostly work: a schedule, a crash in training, text that is not there, another schedule."""
    records = [
        ("start the momentum higher", "0.85 + 0.10 * min(", "0.88 + 0.07 * min("),
        ("multiply shapes that do not fit", "        gram = x @ x.mT\n", "        gram = x @ x @ x.mT @ x\n"),
        ("change what is not there", "no such line", ""),
        ("warm up along a parabola", "fraction / hp.warmup_ratio", "(fraction / hp.warmup_ratio) ** 2"),
        ("divide by a word", "        gram = x @ x.mT\n", "        gram = x @ x.mT / 'x'\n"),
        ("a smaller cap", "15.0", "12.0"),
        ("a shorter memory", "MUON_BETA2 = 0.95", "MUON_BETA2 = 0.9"),
    ]
    path = tmp_path_factory.mktemp("edits") / "edits.jsonl"
    lines = [
        json.dumps({"title": title, "hypothesis": "it may help", "edits": [{"search": search, "replace": replace}]})
        for title, search, replace in records
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return f"replay:{path}"


@pytest.fixture
def home(tiny_home: Path, tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, for the processes that a test starts too."""
    monkeypatch.setenv("AUTORESEARCH_HOME", str(tiny_home))
    return tiny_home


@pytest.fixture(scope="session")
def binding(tiny_dataset: Dataset, tiny_source: Path) -> list[str]:
    """The flags that make a study of tiny trials."""
    data = ["--data", tiny_dataset.name, "--source", str(tiny_source), "--device", "cpu"]
    return ["--preset", "cpu", "--steps", str(STEPS), "--no-compile", *data]


@pytest.fixture
def autoresearch(home: Path, commands: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as a process of its own."""
    run: Callable[..., subprocess.CompletedProcess[str]] = commands.run
    return run


@pytest.fixture(scope="session")
def created_study(tmp_path_factory: pytest.TempPathFactory, tiny_home: Path, binding: list[str]) -> Path:
    """The file of a study of tiny trials in which nothing was tried; to be copied."""
    path = tmp_path_factory.mktemp("created") / "study.db"
    command = ["study", "create", "--storage", f"sqlite:///{path}", "--study-name", "tiny", *binding]
    done = CliRunner().invoke(cli, command, env={"AUTORESEARCH_HOME": str(tiny_home)})
    assert (done.exit_code, done.stdout) == (0, "tiny\n"), done.exception
    return path


@pytest.fixture
def sqlite_study(created_study: Path, tmp_path: Path, home: Path) -> str:
    """The storage of a study of tiny trials, SQLite."""
    return f"sqlite:///{shutil.copy(created_study, tmp_path / 'study.db')}"


class NightProcess:
    """Runs workers that kill themselves at a point."""

    def __init__(self) -> None:
        self._forks = Forks("tests.study.loop.night_process")

    def run(
        self, storage: str, point: str = "", nth: int = 1, environment: Mapping[str, str] | None = None, **request: Any
    ) -> int:
        job = {"storage": storage, "point": point, "nth": nth, "request": request, "environment": environment or {}}
        return self._forks.run(job)

    def close(self) -> None:
        self._forks.close()


@pytest.fixture(scope="module")
def night_process(tiny_home: Path, tiny_dataset: Dataset) -> Iterator[NightProcess]:
    with pytest.MonkeyPatch.context() as patch, closing(_begun(patch, tiny_home)) as process:
        yield process


def _begun(patch: pytest.MonkeyPatch, home: Path) -> NightProcess:
    patch.setenv("AUTORESEARCH_HOME", str(home))
    return NightProcess()


@pytest.fixture
def check() -> Iterator[Callable[[str], Ledger]]:
    """Checks the books of a study that nobody works on; returns its ledger."""
    with ExitStack() as databases:
        yield lambda storage: check_books(databases.enter_context(Database.open(storage, create=False)))


def check_books(database: Database) -> Ledger:
    """What must be true of a study that nobody works on; returns its ledger."""
    ledger = Ledger(database, open_study(database, None))
    history, promotions, incumbent = ledger.history(), ledger.promotions(), ledger.incumbent()
    optuna_trials = ledger.study.optuna.get_trials(deepcopy=False)

    assert [trial.number for trial in optuna_trials] == [trial.number for trial in history]
    assert not [trial.number for trial in optuna_trials if not trial.state.is_finished()]
    assert not [trial.number for trial in history if trial.status in OPEN]
    assert not ledger.live_leases()
    for ours, theirs in zip(history, optuna_trials, strict=True):
        assert (ours.status in SCORED) == (theirs.state is TrialState.COMPLETE), ours
        assert ours.status not in SCORED or theirs.value == ours.val_bpb
        assert theirs.user_attrs["status"] == ours.status

    assert [promotion.version for promotion in promotions] == list(range(len(promotions)))
    assert len({promotion.number for promotion in promotions}) == len(promotions)
    kept = [trial.number for trial in history if trial.status is Status.KEEP]
    assert sorted(promotion.number for promotion in promotions[1:]) == kept
    if incumbent is not None:
        assert (incumbent.version, incumbent.number) == (promotions[-1].version, promotions[-1].number)
        scores = [promotion.val_bpb for promotion in promotions]
        assert scores == sorted(scores, reverse=True)
    # A proposal ends in one trial, those that were interrupted aside.
    done = [trial.key for trial in history if trial.status is not Status.INTERRUPTED]
    assert len(set(done)) == len(done)
    _check_counts(ledger, history)
    return ledger


def _check_counts(ledger: Ledger, history: Any) -> None:
    counted: Mapping[str, int] = {run.id: run.trials_started for run in ledger.runs()}
    for run, started in counted.items():
        of_run = [trial for trial in history if trial.run == run and trial.kind is not Kind.CONFIRM]
        finished = [trial for trial in of_run if trial.status is not Status.INTERRUPTED]
        assert started <= len(of_run), f"run {run} counted {started}, and has {len(of_run)} trials"
        assert started >= sum(trial.status in SCORED for trial in finished)
