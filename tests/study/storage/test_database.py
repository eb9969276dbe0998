"""Opening databases that are not as they should be: one line each, and nothing is changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from autoresearch.errors import AutoresearchError, StorageError, StudyError
from autoresearch.study.storage import Database

if TYPE_CHECKING:
    from .conftest import Night


@contextmanager
def one_line(kind: type[AutoresearchError], *says: str) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    for words in says:
        assert words in message


def test_a_database_is_made_with_a_log_that_readers_do_not_wait_for(tmp_path: Path) -> None:
    Database.open(f"sqlite:///{tmp_path / 'a {b} %c.db'}").close()
    with sqlite3.connect(tmp_path / "a {b} %c.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_clock_is_the_databases(database_url: str) -> None:
    import time

    with Database.open(database_url) as db:
        assert db.now() == pytest.approx(time.time(), abs=120)  # both here; SQLite keeps milliseconds


def test_text_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("not a database, but long enough to have a header " * 20, encoding="utf-8")
    with one_line(StorageError, "README.md is no SQLite database"):
        Database.open(f"sqlite:///{path}")
    assert path.read_text(encoding="utf-8").startswith("not a database")


def test_a_damaged_file_says_so(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    content = bytearray(path.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    path.write_bytes(content)
    with one_line(StorageError, "study.db is damaged", "restore it from a copy"):
        Database.open(sqlite_url)


def test_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with one_line(StorageError, "people.db belongs to something else", "'people'"):
        Database.open(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_folder_no_file(tmp_path: Path) -> None:
    with one_line(StorageError, f"no folder {tmp_path / 'no'}"):
        Database.open(f"sqlite:///{tmp_path}/no/study.db")
    with one_line(StorageError, "is a folder"):
        Database.open(f"sqlite:///{tmp_path}")


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    with one_line(StudyError, "there is no database", "study create"):
        Database.open(f"sqlite:///{tmp_path / 'study.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_without_create_a_database_of_optunas_alone_holds_no_study(empty_database_url: str) -> None:
    import optuna

    optuna.storages.RDBStorage(empty_database_url.replace("postgresql://", "postgresql+psycopg://")).engine.dispose()
    with one_line(StudyError, "holds no study of autoresearch"):
        Database.open(empty_database_url, create=False)


def test_without_create_a_study_is_opened(database_url: str) -> None:
    Database.open(database_url, create=False).close()


def test_a_read_only_file_says_so(sqlite_url: str, tmp_path: Path) -> None:
    """In a process that is not root, for which nothing is read-only."""
    script = (
        "import os, sys\n"
        "from autoresearch.study.storage import Database\n"
        "if os.getuid() == 0:\n"
        "    os.setgid(65534)\n"
        "    os.setuid(65534)\n"
        "Database.open(sys.argv[1])\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to(tmp_path.parents[2]):
            folder.chmod(0o755)
    (tmp_path / "study.db").chmod(0o444)
    tmp_path.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", script, sqlite_url], capture_output=True, text=True, check=False)
    tmp_path.chmod(0o755)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("autoresearch.errors.StorageError: the database"), done.stderr
    assert "study.db is read-only" in last


def full(night: Night) -> None:
    """From now on the database's file cannot grow."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 1}")

    for engine in (night.db.engine, night.db.storage.engine):
        engine.dispose()
        event.listen(engine, "connect", limit)


def fill(night: Night) -> None:
    for index in range(200):
        night.propose(f"sample:{index}", title="x" * 5_000)


def test_a_full_disk_says_so_and_afterwards_the_same_command_goes_on(sqlite_url: str, night_class: type[Night]) -> None:
    night = night_class(sqlite_url).sign_on()
    full(night)
    with one_line(StorageError, "no space left for the database", "free some, then run the same command; it goes on"):
        fill(night)
    queued = len(night.queue())
    night.close()
    again = night_class(sqlite_url).sign_on()
    assert len(again.queue()) == queued
    assert again.score("baseline:0", 2.0).promotion is not None
    again.check()
    again.close()


def test_a_really_full_file_system_says_so(tmp_path: Path, sqlite_url: str, night_class: type[Night]) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        with one_line(StorageError, "no space left for the database"):
            night = night_class(f"sqlite:///{small / 'study.db'}")
            try:
                fill(night)
            finally:
                night.close()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_server_that_is_not_there(postgresql_server: object) -> None:
    with one_line(StorageError, "127.0.0.1:1/night does not answer", "Connection refused") as _:
        Database.open("postgresql://me:secret@127.0.0.1:1/night")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"database": "nosuchdatabase"}, 'database "nosuchdatabase" does not exist'),
        ({"username": "nosuchuser"}, "nosuchuser"),
        ({"host": "nosuchhost.invalid"}, "nosuchhost.invalid"),
    ],
)
def test_a_server_that_refuses_us(postgresql_url: str, change: dict[str, str], says: str) -> None:
    url = sa.make_url(postgresql_url).set(**{"password": "secret", **change})
    with pytest.raises(StorageError) as caught:
        Database.open(url.render_as_string(hide_password=False))
    message = str(caught.value)
    assert says in message
    assert "secret" not in message
    assert "\n" not in message
