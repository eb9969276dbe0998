"""`autoresearch doctor` as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
CHECKS = [
    "python",
    "torch",
    "device",
    "memory",
    "preset",
    "sandbox",
    "edits",
    "compile",
    "disk",
    "data",
    "storage",
    "time",
]


@pytest.fixture
def run(tmp_path: Path, commands) -> Run:
    def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        # Without a compiler none is tried, which would take most of the time.
        environment = {
            **os.environ,
            "AUTORESEARCH_HOME": str(tmp_path / "home"),
            "CXX": "no-such-compiler",
            **variables,
        }
        environment.pop("OPTUNA_STORAGE", None)
        done: subprocess.CompletedProcess[str] = commands.run(
            "doctor", "--device", "cpu", *arguments, environment=environment, folder=tmp_path
        )
        return done

    return start


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {check["check"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.mark.slow
def test_its_lines_end_with_a_verdict_that_is_the_exit_code(run: Run) -> None:
    done = run()
    lines = done.stdout.splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert [name for name in CHECKS if name not in names] == []
    fine = lines[-1].startswith("verdict     a night with edits can run here")
    assert done.returncode == (0 if fine else 1), done.stdout + done.stderr


@pytest.mark.slow
def test_json_says_the_same_and_never_the_key(run: Run, tmp_path: Path) -> None:
    done = run("-f", "json", ANTHROPIC_API_KEY="sk-very-secret")
    found = checks(done)
    assert found["API key"]["data"] == {"present": True}
    assert "very-secret" not in done.stdout + done.stderr
    assert found["compile"]["says"].startswith("off: there is no compiler no-such-compiler")
    assert found["data"]["data"] == {"name": None}
    assert found["storage"]["data"] == {"studies": 0}
    assert json.loads(done.stdout)["fine"] is (done.returncode == 0)
    assert not (tmp_path / "autoresearch.db").exists()


@pytest.mark.slow
def test_a_database_that_cannot_be_used_is_the_verdict(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100, encoding="ascii")
    done = run("-f", "json", "--storage", "sqlite:///text.db")
    assert done.returncode == 1
    assert checks(done)["storage"]["fine"] is False


@pytest.mark.slow
def test_where_no_sandbox_can_be_edits_are_refused(tmp_path: Path) -> None:
    refuse = (
        "import errno\n"
        "from seccompy import Filter\n"
        "filtered = Filter()\n"
        "filtered.errno(444, errno.ENOSYS)\n"  # landlock_create_ruleset
        "filtered.load()\n"
    )
    environment = {**os.environ, "AUTORESEARCH_HOME": str(tmp_path / "home"), "PATH": str(tmp_path)}
    code = refuse + "from autoresearch.study.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--device", "cpu"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "edits       none holds here: edits are refused" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("verdict     no night with edits: install bubblewrap")
