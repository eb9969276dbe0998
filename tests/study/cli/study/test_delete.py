"""`autoresearch study delete`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import Result

from autoresearch.errors import StudyError
from autoresearch.study.artifacts import artifact_folder, keep_files
from autoresearch.study.folders import Folders
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.studies import delete_study, open_study, study_names

Command = Callable[..., Result]
Begin = Callable[..., Any]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORESEARCH_HOME", str(tmp_path / "home"))


def test_the_study_is_gone_from_our_tables_and_from_optunas(begin: Begin, study: Command, database_url: str) -> None:
    night = begin(url=database_url)
    night.baselines(1.41)
    night.end()
    begin("another", url=database_url)
    result = study("delete", "--study-name", "night", "--yes", url=database_url)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "deleted  study 'night': 1 trials, 1 revisions\n"
    with Database.open(database_url, create=False) as database:
        assert study_names(database) == ["another"]
        assert optuna.get_all_study_names(database.storage) == ["another"]


def test_its_folder_on_this_machine_goes_with_it(begin: Begin, study: Command) -> None:
    night = begin()
    night.end()
    root = Folders.of("night", night.ledger.study.id).root
    (root / "00000").mkdir(parents=True)
    result = study("delete", "--yes")
    assert f"deleted  {root}\n" in result.stderr
    assert not root.exists()


def test_a_study_at_which_a_worker_is_at_work_is_not_deleted(begin: Begin, study: Command, storage: str) -> None:
    begin()
    result = study("delete", "--yes")
    assert "1 living workers" in str(result.exception)
    with Database.open(storage, create=False) as database:
        assert study_names(database) == ["night"]
        assert study("delete", "--yes", "--force").exit_code == 0
        assert study_names(database) == []


def test_where_nobody_can_be_asked_it_takes_a_flag(begin: Begin, refusal: Callable[..., str], storage: str) -> None:
    begin().end()
    expected = "delete asks before it deletes, and there is no terminal to ask on: give --yes"
    assert refusal("delete") == expected
    with Database.open(storage, create=False) as database:
        assert study_names(database) == ["night"]


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, []), ("n", 1, ["night"]), ("", 1, ["night"])])
def test_on_a_terminal_it_asks(begin: Begin, storage: str, answer: str, code: int, left: list[str]) -> None:
    begin().end()
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", "from autoresearch.study.cli import main; main()", "study", "delete"]
    process = subprocess.Popen([*command, "--storage", storage], stdin=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    _, errors = process.communicate()
    os.close(ours)
    assert errors.startswith("delete study 'night': 0 trials, 1 revisions? [y/N]: ")
    assert process.returncode == code
    with Database.open(storage, create=False) as database:
        assert study_names(database) == left


def test_a_deletion_that_was_interrupted_is_finished(begin: Begin, study: Command, storage: str) -> None:
    begin().end()

    def die(point: str) -> None:
        raise KeyboardInterrupt(point)

    with Database.open(storage, create=False) as database:
        with pytest.raises(KeyboardInterrupt):
            delete_study(database, "night", observe=die)
        assert "is being deleted" in str(study("status", "--study-name", "night").exception)
        result = study("delete", "--study-name", "night")
        assert result.stderr == "deleted  what was left of study 'night'\n"
        assert study_names(database) == []
        assert optuna.get_all_study_names(database.storage) == []


def test_a_study_of_another_name_is_left_alone(begin: Begin, refusal: Callable[..., str], storage: str) -> None:
    begin().end()
    assert "there is no study 'nigth' in" in refusal("delete", "--study-name", "nigth", "--yes")
    with Database.open(storage, create=False) as database:
        assert open_study(database, "night").name == "night"


def test_the_files_that_the_dashboard_shows_go_with_it(begin: Begin, study: Command, tmp_path: Path) -> None:
    night = begin()
    night.baselines(1.41)
    running = night.sample("0", depth=3)
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "train.py").write_text("the code")
    (folder / "log.txt").write_text("")
    keep_files(night.ledger, night.ledger.trial(running), folder)
    kept = artifact_folder()
    assert [path.read_text() for path in kept.iterdir()] == ["the code"]  # an empty log is not worth a line
    assert isinstance(study("delete", "--yes").exception, StudyError)  # a worker is at work on it
    assert len(list(kept.iterdir())) == 1
    night.end()
    assert study("delete", "--yes").exit_code == 0
    assert list(kept.iterdir()) == []
