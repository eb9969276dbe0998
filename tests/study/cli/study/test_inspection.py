"""What all commands that read a study have in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner

from autoresearch.study.cli import cli
from autoresearch.study.cli.study import COMMANDS as LISTED

COMMANDS = (
    ["status"],
    ["trials"],
    ["best"],
    ["show", "0"],
    ["diff", "0", "1"],
    ["export", "--tsv"],
    ["delete", "--yes"],
)
Refusal = Callable[..., str]
Begin = Callable[..., Any]


def names(arguments: list[str]) -> str:
    return arguments[0]


@pytest.mark.parametrize("command", COMMANDS, ids=names)
def test_a_database_that_there_is_not_is_not_made(refusal: Refusal, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "elsewhere.db"
    assert str(path) in refusal(*command, url=f"sqlite:///{path}")
    assert not path.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=names)
def test_a_study_that_there_is_not(begin: Begin, refusal: Refusal, command: list[str]) -> None:
    begin().end()
    message = refusal(*command, "--study-name", "nihgt")
    assert message.startswith("there is no study 'nihgt' in ")
    assert message.endswith(": did you mean 'night'?")


@pytest.mark.parametrize("command", COMMANDS, ids=names)
def test_of_several_studies_one_must_be_named(begin: Begin, refusal: Refusal, command: list[str]) -> None:
    begin("one").end()
    begin("two").end()
    assert refusal(*command).endswith("choose one with --study-name: 'one', 'two'")


def test_a_study_of_optunas_own_is_not_read(refusal: Refusal, storage: str) -> None:
    optuna.create_study(storage=storage, study_name="theirs")
    assert refusal("status", "--study-name", "theirs") == (
        "the study 'theirs' was made by Optuna and not by autoresearch: choose another --study-name"
    )


def test_a_storage_that_cannot_hold_a_study(refusal: Refusal) -> None:
    assert "'mysql://host/database' cannot hold a study" in refusal("status", url="mysql://host/database")


def test_the_storage_is_read_from_optunas_variable(monkeypatch: pytest.MonkeyPatch, begin: Begin, storage: str) -> None:
    begin().end()
    monkeypatch.setenv("OPTUNA_STORAGE", storage)
    assert CliRunner().invoke(cli, ["study", "status"]).stdout.startswith("study       night\n")


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from autoresearch.study.cli import main; main()", "study", "status"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("autoresearch: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def imported_by(*arguments: str) -> set[str]:
    """The heavy packages that a command has imported when it ends."""
    heavy = ("torch", "lightning", "optuna", "sqlalchemy", "pandas", "datasets", "optuna_dashboard")
    script = (
        "import sys\n"
        "from autoresearch.study.cli import cli\n"
        f"cli.main({['study', *arguments]!r}, standalone_mode=False)\n"
        f"print('heavy:', *(name for name in {heavy!r} if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("--help") == set()


@pytest.mark.slow
@pytest.mark.usefixtures("night")
@pytest.mark.parametrize("command", [["status"], ["trials"], ["show", "6"], ["export", "--tsv"]], ids=names)
def test_reading_takes_no_torch(storage: str, command: list[str]) -> None:
    assert imported_by(*command, "--storage", storage) == {"optuna", "sqlalchemy"}


def test_the_group_knows_every_command() -> None:
    assert {command for command, *_ in COMMANDS} <= set(LISTED)
