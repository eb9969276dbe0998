"""What a user can get wrong with `create` and `optimize`: one line, exit code 2, nothing lost."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoresearch.data.dataset import Dataset
from autoresearch.device import Device
from autoresearch.errors import AutoresearchError, DataError, StudyError
from autoresearch.study.admission import check_platform, check_threads, dataset_of, machine_name
from autoresearch.study.cli import cli
from autoresearch.study.records import Kind, Status, TrialRecord
from autoresearch.study.settings import StudySettings

CPU = Device("cpu", "CPU, 2 threads", 2**34, "32-true")
PLAIN = TrialRecord(0, Kind.BASELINE, Status.MEASURED, "r", {}, 0, None, -1, "", "baseline:0", "w", "run")


def refusal(*arguments: str) -> str:
    """The one line of an error that the command line would print, with exit code 2."""
    result = CliRunner().invoke(cli, ["study", *arguments])
    if isinstance(result.exception, AutoresearchError):
        assert result.exception.exit_code == 2
        text = str(result.exception)
    else:
        assert result.exit_code == 2, result.output
        text = result.stderr.splitlines()[-1]
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--hours", "0"], "--hours is 0.0: expected a number over 0"),
        (["--hours", "nan"], "--hours is nan"),
        (["--hours", "soon"], "'soon' is not a valid float"),
        (["--trials", "-1"], "--trials is -1: expected at least 0"),
        (["--workers", "0"], "--workers is 0: expected at least 1"),
        (["--baseline-repeats", "0"], "--baseline-repeats is 0"),
        (["--baseline-repeats", "1"], "measures no noise"),
        (["--min-delta", "-0.1"], "--min-delta is -0.1"),
        (["--confirm", "-1"], "--confirm is -1"),
        (["--max-gain", "0"], "--max-gain is 0.0: expected a number of bits a byte over 0"),
        (["--edit-ratio", "1.5"], "--edit-ratio is 1.5: expected a share from 0 to 1"),
        (["--edit-ratio", "0.5", "--policy", "stagnation"], "belongs to --policy ratio"),
        (["--policy", "never"], "'never' is not one of"),
        (["--effort", "extreme"], "'extreme' is not one of"),
        (["--sampler", "grid"], "'grid' is not one of"),
        (["--editor", "magic"], "there is no editor 'magic'"),
        (["--editor", "replay:no-such-file"], "cannot read no-such-file"),
        (["--budget", "0"], "--budget is 0.0: expected a number of seconds over 0"),
        (["--steps", "0"], "--steps is 0"),
        (["--budget", "5", "--steps", "5"], "exclude each other"),
        (["--seed", "-1"], "--seed is -1"),
        (["--preset", "huge"], "there is no preset 'huge'"),
        (["--device", "tpu"], "there is no device 'tpu'"),
        (["--data", "nowhere"], "there is no prepared dataset 'nowhere'"),
        (["--source", "no-such-file.py"], "cannot read no-such-file.py"),
        (["--storage", "mysql://root@host/db"], "sqlite"),
        (["--storage", "journal.log"], "sqlite"),
        (["--storage", "sqlite:////no/such/folder/study.db"], "/no/such/folder"),
    ],
)
def test_a_bad_flag(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refusal("optimize", "--trials", "1", *flags)


def test_flags_that_say_otherwise_than_the_study(sqlite_study: str) -> None:
    where = ["--storage", sqlite_study]
    assert "--steps is 9, but the study was made with 3" in refusal("optimize", *where, "--steps", "9")
    assert "--seed is 5, but the study was made with 0" in refusal("optimize", *where, "--seed", "5")
    assert "--preset is full, but the study was made with cpu" in refusal("optimize", *where, "--preset", "full")
    assert "is not the file that the study started from" in refusal(
        "optimize", *where, "--source", str(Path(__file__).parents[3] / "autoresearch" / "train.py")
    )


def test_a_name_that_is_taken(sqlite_study: str, binding: list[str]) -> None:
    line = refusal("create", "--storage", sqlite_study, "--study-name", "tiny", *binding)
    assert "--skip-if-exists" in line
    result = CliRunner().invoke(
        cli, ["study", "create", "--storage", sqlite_study, "--study-name", "tiny", "--skip-if-exists"]
    )
    assert (result.exit_code, result.stdout) == (0, "tiny\n")


def settings(dataset: Dataset, **changes: object) -> StudySettings:
    fields = {
        "preset": "cpu",
        "seconds": 60.0,
        "steps": None,
        "data": dataset.name,
        "fingerprint": dataset.fingerprint,
        "vocab_size": dataset.vocab_size,
        "context": dataset.context,
        "eval_tokens": 1000,
        "device": "cpu",
        "machine": machine_name(CPU),
        "precision": CPU.precision,
        "compiled": False,
        "seed": 0,
        "torch": "2",
    }
    return StudySettings(**(fields | changes))


def test_a_worker_on_another_platform(tiny_dataset: Dataset) -> None:
    with pytest.raises(StudyError, match="made on the device 'an H100' and this worker has"):
        check_platform(settings(tiny_dataset, machine="an H100"), CPU, "2")
    with pytest.raises(StudyError, match="made on the precision 'bf16-mixed'"):
        check_platform(settings(tiny_dataset, precision="bf16-mixed"), CPU, "2")
    assert check_platform(settings(tiny_dataset), CPU, "2") is None


def test_a_worker_with_another_number_of_threads(tiny_dataset: Dataset) -> None:
    seconds, steps = settings(tiny_dataset), settings(tiny_dataset, steps=9)
    before = [replace(PLAIN, result={"device": "CPU, 1 threads"})]
    with pytest.raises(StudyError, match="trials ran on 'CPU, 1 threads' and this worker has 'CPU, 2 threads'"):
        check_threads(seconds, CPU, before)
    check_threads(seconds, CPU, [PLAIN, replace(PLAIN, result={"device": CPU.name})])
    check_threads(steps, CPU, before)  # as many steps on any number


def test_another_torch_is_a_warning(tiny_dataset: Dataset) -> None:
    warning = check_platform(settings(tiny_dataset), CPU, "3")
    assert warning is not None
    assert "torch 2, this is 3" in warning


def test_a_worker_with_other_data(tiny_dataset: Dataset, tiny_home: Path) -> None:
    assert dataset_of(settings(tiny_dataset), home=tiny_home).name == tiny_dataset.name
    with pytest.raises(DataError, match="with fingerprint 000000000000, which is not prepared here"):
        dataset_of(settings(tiny_dataset, fingerprint="0" * 64), home=tiny_home)


def test_a_study_of_a_version_with_other_settings() -> None:
    with pytest.raises(StudyError, match="another version of autoresearch"):
        StudySettings.from_json({"preset": "cpu"})


def test_a_file_that_is_no_database(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(b"something else entirely, and long enough to have a header" * 20)
    result = CliRunner().invoke(cli, ["study", "optimize", "--storage", f"sqlite:///{path}", "--trials", "1"])
    assert isinstance(result.exception, AutoresearchError)
    assert str(path) in str(result.exception)


def test_somebody_elses_database(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (id integer)")
    before = path.read_bytes()
    result = CliRunner().invoke(cli, ["study", "optimize", "--storage", f"sqlite:///{path}", "--trials", "1"])
    assert isinstance(result.exception, AutoresearchError)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_baseline_that_crashes_ends_the_night_with_its_reason(
    sqlite_url: str,
    autoresearch: Callable[..., subprocess.CompletedProcess[str]],
    binding: list[str],
    tiny_source: Path,
) -> None:
    text = tiny_source.read_text(encoding="utf-8")
    broken = tiny_source.with_name("broken.py")
    broken.write_text(text.replace("        gram = x @ x.mT\n", "        gram = x @ x @ x.mT @ x\n"), encoding="utf-8")
    flags = [str(broken) if flag == str(tiny_source) else flag for flag in binding]
    done = autoresearch("study", "optimize", "--storage", sqlite_url, *flags, "--trials", "3")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "autoresearch: the baseline failed (trial 0, crash): train.py failed"
    )
