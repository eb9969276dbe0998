"""What is watched from outside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from autoresearch.sandbox.resources import Resources, excess, tasks_of_user

MIB = 2**20
AMPLE = Resources()


@contextmanager
def candidate(code: str) -> Iterator[psutil.Process]:
    """A process that has run some code, and waits."""
    command = [sys.executable, "-I", "-c", f"{code}\nprint(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield psutil.Process(process.pid)
        process.communicate(b"\n")


def test_all_its_processes_together_have_a_limit_of_memory(tmp_path: Path) -> None:
    code = """
import subprocess, sys
hungry = "taken = bytearray(b'x') * 2**26; print(flush=True); input()"
for _ in range(2):
    child = subprocess.Popen([sys.executable, "-I", "-c", hungry], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
"""
    with candidate(code) as process:
        assert excess(process, tmp_path, replace(AMPLE, memory_bytes=1024 * MIB)) is None
        said = excess(process, tmp_path, replace(AMPLE, memory_bytes=120 * MIB))
    assert said is not None
    assert said.endswith("GiB of memory; the limit is 0.1")


def test_the_number_of_processes_has_a_limit(tmp_path: Path) -> None:
    code = """
import subprocess, sys
for _ in range(3):
    subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE)
"""
    with candidate(code) as process:
        assert excess(process, tmp_path, replace(AMPLE, processes=4)) is None
        assert excess(process, tmp_path, replace(AMPLE, processes=3)) == "4 processes; the limit is 3"


def test_the_number_of_threads_has_a_limit(tmp_path: Path) -> None:
    code = """
import threading
for _ in range(9):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    with candidate(code) as process:
        assert excess(process, tmp_path, replace(AMPLE, threads=9)) == "10 threads; the limit is 9"


def test_its_folder_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * 3 * MIB)
    (tmp_path / "link").symlink_to("/usr")
    with candidate("") as process:
        assert excess(process, tmp_path, replace(AMPLE, folder_bytes=4 * MIB)) is None
        said = excess(process, tmp_path, replace(AMPLE, folder_bytes=2 * MIB))
    assert said == "more than 0.0 GiB in its folder"


def test_nothing_hides_in_its_folder_by_number_or_depth(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(300):
        (tmp_path / "many" / str(number)).touch()
    with candidate("") as process:
        assert excess(process, tmp_path, replace(AMPLE, folder_bytes=MIB)) == "more than 0.0 GiB in its folder"
        assert excess(process, tmp_path, AMPLE) is None
        (tmp_path / "/".join(["deep"] * 101)).mkdir(parents=True)
        assert excess(process, tmp_path, AMPLE) == "folders in folders, 101 deep; the limit is 100"


def test_one_that_has_ended_has_exceeded_nothing(tmp_path: Path) -> None:
    with candidate("") as process:
        pass
    assert excess(process, tmp_path, replace(AMPLE, processes=0)) is None


def test_the_user_has_the_tasks_of_this_process_at_least() -> None:
    assert tasks_of_user() >= psutil.Process().num_threads()
