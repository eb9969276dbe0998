"""What becomes of a command whose worker dies: real processes, and a pipe that ends when the last of them has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.study.editors import leash

WORKER = Path(__file__).with_name("commanding_process.py")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_command_and_all_in_its_group_end_with_the_worker(tmp_path: Path, number: signal.Signals) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = f"exec 9> {fifo}; (trap '' TERM HUP; sleep 60; echo outlived >&9) & echo here >&9; kill 0; sleep 60"
    command = f"trap '' TERM; {command}; echo outlived >&9"  # though it has sent its group a signal that most end at
    with subprocess.Popen(
        [sys.executable, WORKER, command],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 -- below `nohup` it would be ignored
    ) as worker:
        with fifo.open(encoding="utf-8") as pipe:
            assert pipe.readline() == "here\n"
            worker.send_signal(number)
            assert pipe.read() == ""  # at its end once nobody is left to write
        assert worker.wait(60) == -number


def leashed(seconds: float, command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command on a leash that is held."""
    read, write = os.pipe()
    try:
        return subprocess.run(
            [sys.executable, "-I", "-S", leash.__file__, str(read), str(seconds), command],
            pass_fds=(read,),
            start_new_session=True,
            stdout=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(read)
        os.close(write)


def test_a_worker_that_is_there_and_forgets_the_time_has_it_kept() -> None:
    done = leashed(0.5, "echo begun; sleep 60; echo outlived")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"begun\n")


def test_a_command_on_a_leash_ends_as_it_would_without() -> None:
    done = leashed(float("inf"), "yes | head -n 1; exit 7")
    assert (done.returncode, done.stdout) == (7, b"y\n")


def test_a_command_has_no_child_that_it_did_not_start() -> None:
    script = "import os\\ntry:\\n    os.wait()\\nexcept ChildProcessError:\\n    print('none')"
    done = leashed(60.0, f"""exec '{sys.executable}' -c "exec('''{script}''')" """)
    assert done.stdout == b"none\n"
