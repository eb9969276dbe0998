"""`study optimize` as a user runs it, from the first command to the last."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from optuna.artifacts import get_all_artifact_meta

from autoresearch.study.records import Kind, Status
from autoresearch.study.storage.ledger import Ledger

Run = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def optimizing(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`study optimize` in the background; killed at the end, should the test have failed."""
    command = [sys.executable, "-W", "ignore", "-m", "autoresearch.study.cli", "study", "optimize", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Read the log up to the line that has these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"the log ended without {words!r}")


def candidate_of(process: subprocess.Popen[str]) -> psutil.Process:
    """The process of the trial in flight: a fork of the warm one. The line in the log comes just before it."""
    while process.poll() is None:
        for candidate in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                warm = candidate.parent()
                is_fork = warm is not None and warm.cmdline() == candidate.cmdline()
                if is_fork and candidate.name() != "bwrap":
                    return candidate
    raise AssertionError("the worker ended first")


@dataclass(frozen=True)
class Night:
    """A whole night that has ended."""

    storage: str
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def night(
    tmp_path_factory: pytest.TempPathFactory, commands: Any, binding: list[str], edits: str, tiny_home: Path
) -> Night:
    storage = f"sqlite:///{tmp_path_factory.mktemp('night') / 'study.db'}"
    plan = ["--trials", "9", "--editor", edits, "--edit-ratio", "0.6", "--min-delta", "0"]
    plan += ["--baseline-repeats", "2", "--confirm", "2"]
    environment = {**os.environ, "AUTORESEARCH_HOME": str(tiny_home)}
    done = commands.run("study", "optimize", "--storage", storage, *binding, *plan, environment=environment)
    assert done.returncode == 0, done.stderr
    return Night(storage, done)


@pytest.mark.slow
def test_one_command_runs_samples_and_edits_to_an_honest_summary(
    night: Night, check: Callable[[str], Ledger], home: Path
) -> None:
    ledger, done = check(night.storage), night.done
    history = ledger.history()
    by_kind = {kind: [trial for trial in history if trial.kind is kind] for kind in Kind}
    assert len(by_kind[Kind.BASELINE]) == 2
    assert by_kind[Kind.SAMPLE]
    titles = {trial.title: trial.status for trial in by_kind[Kind.EDIT]}
    assert titles["multiply shapes that do not fit"] is Status.CRASH
    assert titles["change what is not there"] is Status.CRASH
    # Nine trials, but those whose edit did not apply cost none.
    unapplied = [trial for trial in by_kind[Kind.EDIT] if trial.started_at is None]
    assert len(history) - len(by_kind[Kind.CONFIRM]) - len(unapplied) == 9

    assert "baseline" in done.stdout
    assert "verdict" in done.stdout or "no trial beat it" in done.stdout
    if ledger.incumbent().version:
        confirms = by_kind[Kind.CONFIRM]
        assert [trial.seed for trial in confirms] == [1000, 1000, 1001, 1001]
        assert all(trial.test_bpb is not None for trial in confirms)
    assert "Traceback" not in done.stderr

    # What the dashboard shows beside each trial that was run: the code, and the log where there is one.
    for trial in history:
        files = {meta.filename: meta for meta in get_all_artifact_meta(ledger.optuna_trial(trial.number))}
        assert ("train.py" in files) == (trial.started_at is not None)
    [best] = [
        meta
        for meta in get_all_artifact_meta(ledger.optuna_trial(ledger.incumbent().number))
        if meta.filename == "train.py"
    ]
    assert (home / "artifacts" / best.artifact_id).read_text(encoding="utf-8").startswith('"""The experiment')


@pytest.mark.slow
def test_a_gain_that_is_not_plausible_must_be_reached_twice_and_the_worse_score_counts(
    sqlite_study: str, autoresearch: Run, binding: list[str], tmp_path: Path, check: Callable[[str], Ledger]
) -> None:
    better = tmp_path / "better.jsonl"
    edit = {"search": "fraction / hp.warmup_ratio", "replace": "(fraction / hp.warmup_ratio) ** 0.5"}
    faster = {"search": "MUON_BETA2 = 0.95", "replace": "MUON_BETA2 = 0.9"}
    records = [{"title": title, "hypothesis": "", "edits": [one]} for title, one in (("a", edit), ("b", faster))]
    better.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    plan = ["--editor", f"replay:{better}", "--edit-ratio", "1", "--baseline-repeats", "2", "--confirm", "0"]
    done = autoresearch(
        "study", "optimize", "--storage", sqlite_study, *plan, "--trials", "8", "--min-delta", "0", "--max-gain", "1e-9"
    )
    assert done.returncode == 0, done.stderr
    ledger = check(sqlite_study)
    twice = [trial for trial in ledger.history() if "other_run" in trial.result]
    assert twice, done.stderr
    for trial in twice:
        other = trial.result["other_run"]
        assert {trial.result["seed"], other["seed"]} == {trial.seed, 999_983}
        assert trial.val_bpb >= other["val_bpb"]
        shown = autoresearch("study", "show", str(trial.number), "--storage", sqlite_study).stdout
        assert f"seed {other['seed']} reached" in shown
    assert {trial.number for trial in ledger.history() if trial.status is Status.KEEP} <= {
        trial.number for trial in twice
    }
    assert done.stderr.count("it must do so twice") == len(twice)


@pytest.mark.slow
def test_best_write_reproduces_the_score_and_edits_replay_into_a_second_study(
    night: Night, autoresearch: Run, binding: list[str], tmp_path: Path, check: Callable[[str], Ledger]
) -> None:
    ledger = check(night.storage)
    best = tmp_path / "best.py"
    assert autoresearch("study", "best", "--storage", night.storage, "--write", str(best)).returncode == 0
    data, steps = binding[binding.index("--data") + 1], binding[binding.index("--steps") + 1]
    run = ["train", "--source", str(best), "--data", data, "--steps", steps, "--no-compile", "--device", "cpu"]
    again = json.loads(autoresearch(*run, "--preset", "cpu", "--json").stdout)
    assert again["val_bpb"] == pytest.approx(ledger.incumbent().val_bpb, abs=1e-4)

    exported = tmp_path / "exported.jsonl"
    assert autoresearch("study", "export", "--storage", night.storage, "--edits", str(exported)).returncode == 0
    second = f"sqlite:///{tmp_path / 'second.db'}"
    plan = ["--editor", f"replay:{exported}", "--baseline-repeats", "2", "--confirm", "0", "--edit-ratio", "1"]
    done = autoresearch("study", "optimize", "--storage", second, *binding, "--trials", "4", *plan)
    assert done.returncode == 0, done.stderr
    recorded = [json.loads(line)["title"] for line in exported.read_text(encoding="utf-8").splitlines()]
    replayed = [trial.title for trial in check(second).history() if trial.kind is Kind.EDIT]
    assert replayed == recorded[: len(replayed)]


@pytest.mark.slow
def test_ctrl_c_drops_the_trial_in_flight_and_the_same_command_goes_on(
    sqlite_study: str, autoresearch: Run, check: Callable[[str], Ledger]
) -> None:
    plan = ["--storage", sqlite_study, "--confirm", "0", "--baseline-repeats", "2"]
    with optimizing(*plan, "--trials", "4") as process:
        wait_for(process, "trial   1  baseline  starts")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert "baseline" in out
    assert [trial.status for trial in check(sqlite_study).history()] == [Status.MEASURED, Status.INTERRUPTED]

    assert autoresearch("study", "optimize", *plan, "--trials", "1").returncode == 0
    history = check(sqlite_study).history()
    assert [(trial.kind, trial.status) for trial in history[2:]] == [(Kind.BASELINE, Status.MEASURED)]


@pytest.mark.slow
def test_a_trial_that_is_killed_is_a_crash_and_the_study_goes_on(
    sqlite_study: str, check: Callable[[str], Ledger]
) -> None:
    plan = ["--storage", sqlite_study, "--confirm", "0", "--baseline-repeats", "2", "--min-delta", "0"]
    with optimizing(*plan, "--trials", "4") as process:
        wait_for(process, "trial   2  sample    starts")
        os.kill(candidate_of(process).pid, signal.SIGKILL)
        process.communicate(timeout=120)
    assert process.returncode == 0
    killed, after = check(sqlite_study).history()[2:]
    assert killed.status is Status.CRASH
    assert "SIGKILL" in killed.reason
    assert after.status in (Status.KEEP, Status.DISCARD)
