"""`autoresearch train` as a person runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autoresearch.data.dataset import Dataset
from autoresearch.revision import package_source

COMMAND = [sys.executable, "-c", "from autoresearch.study.cli import main; main()", "train"]
TINY = ["--device", "cpu", "--no-compile", "--steps", "2", "--set", "total_batch_size=512"]
SUMMARY = [
    "val_bpb",
    "training_seconds",
    "total_seconds",
    "peak_vram_mb",
    "mfu_percent",
    "total_tokens_M",
    "num_steps",
    "num_params_M",
    "depth",
]


@pytest.fixture
def run(tiny_dataset: Dataset, tiny_home: Path, commands):
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "AUTORESEARCH_HOME": str(tiny_home)}
        return commands.run("train", "--data", tiny_dataset.name, *TINY, *arguments, environment=environment)

    return start


@pytest.mark.slow
def test_it_ends_with_the_summary(run) -> None:
    done = run()
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "---"
    assert [line.partition(":")[0] for line in lines[1:]] == SUMMARY
    assert re.fullmatch(r"val_bpb: +\d\.\d{6}", lines[1])


@pytest.mark.slow
def test_json_says_all_that_it_takes_to_repeat_the_run(run, tiny_dataset: Dataset) -> None:
    result = json.loads(run("--json", "--seed", "3", "--set", "depth=1").stdout)
    expected = {
        "seed": 3,
        "budget_steps": 2,
        "budget_seconds": None,
        "context": 32,
        "preset": "cpu",
        "data": tiny_dataset.name,
        "fingerprint": tiny_dataset.fingerprint,
        "source": "train.py",
        "compiled": False,
        "torch": torch.__version__,
    }
    assert expected.items() <= result.items()
    assert result["knobs"]["depth"] == 1
    assert re.fullmatch(r"[0-9a-f]{64}", result["source_sha256"])


@pytest.mark.slow
def test_with_nothing_prepared_it_prepares_the_built_in_corpus_and_trains_for_its_budget(tmp_path: Path) -> None:
    command = [*COMMAND, "--device", "cpu", "--budget", "1", "--no-compile", "--json"]
    environment = {**os.environ, "AUTORESEARCH_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["data"] == "builtin-v2048-c256"
    assert result["val_bpb"] < 3.0  # 7.6 nats a token, untrained, are 3.0 bits a byte
    assert 1.0 <= result["training_seconds"] < 1.0 + 2 * result["training_seconds"] / result["steps"]
    assert result["eval_tokens"] > 60_000


@pytest.mark.slow
def test_on_a_terminal_the_progress_is_one_line_that_rewrites_itself(tiny_dataset: Dataset, tiny_home: Path) -> None:
    screen, terminal = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--data", tiny_dataset.name, *TINY],
        env={**os.environ, "AUTORESEARCH_HOME": str(tiny_home)},
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    seen = b""
    try:
        while chunk := os.read(screen, 4096):
            seen += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    process.communicate()
    os.close(screen)
    last = seen.decode().split("\r\x1b[K")[-1]
    assert re.match(r"100%  step 2  loss \d\.\d{4}  [\d,]+ tokens/s  MFU \d+\.\d %  0:00 left\r\n$", last)


@pytest.mark.slow
def test_the_file_that_would_run_can_be_written_edited_and_run(run, tmp_path: Path) -> None:
    mine = tmp_path / "my_train.py"
    written = run("--write", str(mine), "--set", "depth=3")
    assert (written.returncode, written.stdout) == (0, "")
    mine.write_text(mine.read_text().replace("= 3\n", "= 1\n"))
    result = json.loads(run("--source", str(mine), "--json").stdout)
    assert result["knobs"] == {**result["knobs"], "depth": 1, "device_batch_size": 8, "window_pattern": "L"}


@pytest.mark.slow
def test_a_file_that_exists_is_not_written_over(run, tmp_path: Path) -> None:
    mine = tmp_path / "my_train.py"
    mine.write_text("precious")
    done = run("--write", str(mine))
    assert (done.returncode, mine.read_text()) == (2, "precious")
    assert "File exists; expected a new file" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sigterm_ends_a_run_with_143_and_one_line(tiny_dataset: Dataset, tiny_home: Path) -> None:
    command = [*COMMAND, "--data", tiny_dataset.name, *TINY, "--steps", "1000000"]
    environment = {**os.environ, "AUTORESEARCH_HOME": str(tiny_home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("start"):
            break
    wait_for_handler(process.pid)
    _, rest = stopped(process, signal.SIGTERM)
    assert process.returncode == 143
    assert rest.splitlines()[-1] == "autoresearch: terminated"


def wait_for_handler(pid: int) -> None:
    """Return when the process has a handler for SIGTERM of its own; before that the signal just kills it."""
    mask = 1 << (signal.SIGTERM - 1)
    caught = re.compile(r"SigCgt:\s*(\w+)")
    while not int(caught.findall(Path(f"/proc/{pid}/status").read_text())[0], 16) & mask:
        pass


def stopped(process: subprocess.Popen[str], how: signal.Signals) -> tuple[str, str]:
    """Send a signal, again if need be, as a person or a scheduler would; return what the process printed."""
    for _ in range(4):
        process.send_signal(how)
        try:
            return process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    return process.communicate()


@pytest.mark.slow
def test_what_a_source_prints_does_not_mix_with_the_result(run, tmp_path: Path) -> None:
    mine = tmp_path / "my_train.py"
    mine.write_text(package_source() + "\nprint('hello')\n")
    done = run("--source", str(mine), "--json")
    assert json.loads(done.stdout)["steps"] == 2
    assert "hello" in done.stderr


@pytest.mark.slow
def test_bad_knobs_are_found_before_a_corpus_is_prepared(commands, tmp_path: Path) -> None:
    environment = {**os.environ, "AUTORESEARCH_HOME": str(tmp_path)}
    done = commands.run("train", "--device", "cpu", "--set", "dept=4", environment=environment)
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_stderr_names_device_preset_data_and_knobs(run) -> None:
    words = [line.split()[0] for line in run().stderr.splitlines()]
    assert words[:5] == ["device", "preset", "knobs", "data", "start"]


@pytest.mark.slow
def test_a_source_of_one_s_own_runs_as_it_is(run, tmp_path: Path) -> None:
    mine = tmp_path / "my_train.py"
    mine.write_text(package_source().replace('PRESET = "full"', 'PRESET = "cpu"').replace("] = 8\n", "] = 4\n"))
    sizes = ["--set", "aspect_ratio=32", "--set", "head_dim=64", "--set", "device_batch_size=32"]
    done = run("--source", str(mine), *sizes, "--set", "total_batch_size=65536", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["knobs"]["depth"] == 4


@pytest.mark.slow
def test_a_source_for_another_machine_gets_this_preset_s_sizes_and_says_so(run, tmp_path: Path) -> None:
    mine = tmp_path / "my_train.py"
    mine.write_text(package_source())
    done = run("--source", str(mine))
    assert "my_train.py is for preset full; cpu's replace its" in done.stderr
    assert re.search(r"depth: +2$", done.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "dept=4"], "there is no knob 'dept': did you mean 'depth'?"),
        (["--set", "depth=400"], "knob 'depth' is 400, expected 1 to 6"),
        (["--set", "device_batch_size=32"], "total_batch_size 512 is no multiple of device_batch_size x context"),
        (["--context", "64"], "context 64 does not divide the 32 of the prepared dataset"),
        (["--data", "nothing"], "there is no prepared dataset 'nothing'"),
        (["--source", "nowhere.py"], "cannot read nowhere.py: No such file or directory"),
        (["--preset", "huge"], "there is no preset 'huge'"),
        (["--device", "abacus"], "there is no device 'abacus'"),
        (["--budget", "10"], "--budget and --steps exclude each other"),
        (["--steps", "0"], "--steps is 0: expected at least 1"),
        (["--seed", "-1"], "--seed is -1: expected 0 to 4294967295"),
        (["--steps", "many"], "Invalid value for '--steps': 'many' is not a valid int"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_failing_source_is_one_line_and_exit_code_1(run, tmp_path: Path) -> None:
    mine = tmp_path / "my_train.py"
    mine.write_text(package_source().replace("tokens, targets = batch", "raise OSError('gone')  #"))
    done = run("--source", str(mine))
    assert done.returncode == 1
    assert re.fullmatch(r"autoresearch: my_train\.py failed: OSError: gone \(line \d+\)", done.stderr.splitlines()[-1])


@pytest.mark.slow
def test_ctrl_c_ends_a_run_with_130_and_one_line(tiny_dataset: Dataset, tiny_home: Path) -> None:
    command = [*COMMAND, "--data", tiny_dataset.name, *TINY, "--steps", "1000000"]
    environment = {**os.environ, "AUTORESEARCH_HOME": str(tiny_home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("start"):  # the run is about to begin, or has begun
            break
    out, rest = stopped(process, signal.SIGINT)
    assert process.returncode == 130
    assert out == ""
    assert rest.splitlines()[-1] == "autoresearch: interrupted"
    assert "Traceback" not in rest
