from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoresearch.data.prepare import DataSettings
from autoresearch.study.cli.prepare import prepare, progress_on_stderr

COMMAND = [sys.executable, "-c", "from autoresearch.study.cli import main; main()", "prepare"]
Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ["--vocab-size", "2048", "--context", "256"]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "AUTORESEARCH_HOME": str(home)}


@pytest.fixture(scope="session")
def run(commands) -> Run:
    return lambda home, *arguments: commands.run("prepare", *arguments, environment=environment(home))


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_at(stage: str, how: signal.Signals, process: subprocess.Popen[str]) -> tuple[int, str]:
    """Send a signal when the process reaches a stage; return its exit code and its further stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip() == stage:
            process.send_signal(how)
            break
    _, rest = process.communicate()
    return process.returncode, rest


def fingerprint(home: Path) -> str:
    [meta] = home.glob("data/*/meta.json")
    found: str = json.loads(meta.read_text())["fingerprint"]
    return found


@pytest.fixture(scope="module")
def expected(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of a run that nothing interrupts."""
    home = tmp_path_factory.mktemp("uninterrupted")
    assert run(home, *SMALL).returncode == 0
    return fingerprint(home)


def test_help_shows_the_defaults_of_the_settings() -> None:
    text = CliRunner().invoke(prepare, ["--help"]).output
    for default in (DataSettings.text_column, DataSettings.shards):
        assert re.search(rf"default:\s+\({default}\)", text)


def test_help_shows_an_example() -> None:
    assert "autoresearch prepare my-texts/ --vocab-size 2048" in CliRunner().invoke(prepare, ["--help"]).output


def test_the_summary_is_on_stdout_and_the_progress_on_stderr(run: Run, tmp_path: Path) -> None:
    finished = run(tmp_path, *SMALL)
    names = [line.split()[0] for line in finished.stdout.splitlines()]
    assert names == ["dataset", "documents", "text", "rows", "kept", "path", "fingerprint", "next"]
    assert "223 train, 13 val, 13 test" in finished.stdout
    assert finished.stderr.splitlines()[0] == "reading"


def test_vocabulary_and_context_come_from_the_preset(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path, "--preset", "gpu-small").returncode == 0
    assert [path.parent.name for path in tmp_path.glob("data/*/meta.json")] == ["builtin-v4096-c512"]


def test_a_second_run_says_that_all_is_prepared(run: Run, tmp_path: Path) -> None:
    first, second = run(tmp_path, *SMALL), run(tmp_path, *SMALL)
    assert second.stderr.startswith("already prepared: ")
    assert second.stdout == first.stdout


@pytest.mark.parametrize("stage", ["reading", "tokenizer", "packing train"])
def test_ctrl_c_is_one_line_and_the_next_run_finishes(run: Run, tmp_path: Path, expected: str, stage: str) -> None:
    code, rest = stop_at(stage, signal.SIGINT, start(tmp_path, *SMALL))
    assert code == 130
    assert rest.splitlines()[-1] == "autoresearch: interrupted"
    assert "Traceback" not in rest
    assert not list(tmp_path.glob("data/*/meta.json"))
    assert run(tmp_path, *SMALL).returncode == 0
    assert fingerprint(tmp_path) == expected


def test_kill_9_costs_only_the_stage_in_flight(run: Run, tmp_path: Path, expected: str) -> None:
    code, _ = stop_at("packing train", signal.SIGKILL, start(tmp_path, *SMALL))
    assert code == -signal.SIGKILL
    again = run(tmp_path, *SMALL)
    assert "tokenizer" not in again.stderr.splitlines()
    assert fingerprint(tmp_path) == expected


def test_two_at_once_make_one_dataset(tmp_path: Path, expected: str) -> None:
    both = [start(tmp_path, *SMALL), start(tmp_path, *SMALL)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0][0] == outputs[1][0]
    assert sum("already prepared" in stderr for _, stderr in outputs) == 1
    assert fingerprint(tmp_path) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-corpus"], "no corpus 'no-such-corpus': expected builtin"),
        (["missing.txt"], "no corpus 'missing.txt'"),
        (["--vocab-size", "7"], "vocabulary size 7 is out of range: expected 256"),
        (["--context", "0"], "context 0 is too short: expected at least 2"),
        (["--shards", "3"], "--shards chooses files of climbmix"),
        (["climbmix", "--shards", "7000"], "shards 7000 is out of range: expected 1 to 6542"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run: Run, tmp_path: Path, arguments: list[str], words: str) -> None:
    failed = run(tmp_path, *arguments)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith(f"autoresearch: {words}")
    assert failed.stderr.count("\n") == 1


def test_a_bad_file_leaves_nothing_that_breaks_the_next_run(run: Run, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(5):
        (texts / f"{number}.txt").write_text(f"text {number} " * 100)
    (texts / "broken.parquet").write_bytes(b"PAR1 nope")
    arguments = [str(texts), "--vocab-size", "256", "--context", "64"]
    failed = run(tmp_path, *arguments)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith("autoresearch: cannot read parquet")
    (texts / "broken.parquet").unlink()
    assert run(tmp_path, *arguments).returncode == 0


def test_on_a_terminal_progress_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with open(follower, "w") as terminal:  # noqa: PTH123 — a file descriptor has no path
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with progress_on_stderr() as progress:
            progress.stage("packing", 10)
            progress.advance(5)
            progress.note("by the way")
            progress.stage("the end", 1)
    drawn = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "by the way" in drawn
    assert re.search(r"packing.*100%", drawn)
    assert "the end" in drawn
