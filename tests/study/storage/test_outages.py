"""A database that goes away and comes back; one that does not."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from autoresearch.errors import StorageError
from autoresearch.study.records import Status
from autoresearch.study.storage import Database, Patience
from autoresearch.study.storage.outages import Outage, waiting_out

if TYPE_CHECKING:
    from .conftest import Night


class FakeTime:
    """A clock that only sleeping moves; what happens while it sleeps is the test's."""

    def __init__(self, meanwhile: Callable[[float], None] = lambda now: None) -> None:
        self.now = 0.0
        self.meanwhile = meanwhile
        self.said: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile(self.now)

    def patience(self, limit_seconds: float = 600.0) -> Patience:
        return Patience(limit_seconds, self.said.append, lambda: self.now, self.sleep)


class Door:
    """A TCP proxy in front of the server, which can be shut and opened again."""

    def __init__(self, host: str, port: int) -> None:
        self._behind = (host, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._welcome()

    def _welcome(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                front, _ = listener.accept()
            except OSError:
                return
            back = socket.create_connection(self._behind)
            self._open += [front, back]
            for one, other in ((front, back), (back, front)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while piece := one.recv(65536):
                other.sendall(piece)
        except OSError:
            pass
        for end in (one, other):
            end.close()

    def shut(self) -> None:
        """Cut every connection; new ones are refused."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                end.close()
        self._open = []

    def reopen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._welcome()


@pytest.fixture
def door(postgresql_url: str) -> Iterator[tuple[Door, str]]:
    """The door, and the URL that leads through it."""
    url = sa.make_url(postgresql_url)
    door = Door(url.host or "127.0.0.1", url.port or 5432)
    through = url.set(host="127.0.0.1", port=door.port).update_query_dict({"sslmode": "disable"})
    yield door, through.render_as_string(hide_password=False)
    door.shut()


def test_a_server_that_is_away_for_a_minute_is_waited_for(door: tuple[Door, str], night_class: type[Night]) -> None:
    shutter, url = door
    time = FakeTime(lambda now: shutter.reopen() if now > 60 and shutter._listener.fileno() == -1 else None)
    night = night_class(url, patience=time.patience()).sign_on()
    number = night.begin("baseline:0")
    shutter.shut()
    assert night.ledger.judge(number, night.worker, 2.0, None, {})
    assert night.ledger.settle(number, 0.1).status is Status.MEASURED
    assert len(time.said) == 2, time.said
    assert time.said[0].startswith(f"the database 127.0.0.1:{shutter.port}/")
    assert "waiting for up to 10 minutes" in time.said[0]
    assert "is back after 6" in time.said[1]
    night.check()
    night.close()


@pytest.mark.parametrize("operation", ["report", "settle", "fail", "reconcile", "propose", "revisions"])
def test_whatever_was_going_on_when_the_server_went_away_is_done_once(
    door: tuple[Door, str], night_class: type[Night], operation: str
) -> None:
    """The door shuts in the middle of each operation: after its first write, or before it reads."""
    shutter, url = door
    time = FakeTime(lambda now: shutter.reopen() if now > 1 and shutter._listener.fileno() == -1 else None)
    cut: list[str] = []

    def observe(point: str) -> None:
        if cut and cut[0] in point:
            cut.clear()
            shutter.shut()

    night = night_class(url, observe=observe, patience=time.patience()).sign_on()
    night.score("baseline:0", 2.0)
    number = night.begin("sample:0")
    cut.append({"report": "report", "fail": "fail:row", "propose": "propose"}.get(operation, "settle"))
    if operation == "report":
        night.ledger.report(number, 50, 2.0)
    elif operation == "fail":
        assert night.ledger.fail(number, night.worker, Status.CRASH, "no")
    elif operation == "propose":
        night.propose("sample:1")
    if operation != "fail":
        assert night.finish(number, 1.5).status is Status.KEEP
    night.reconcile()
    assert len(night.ledger.revisions()) == 1
    assert [made.version for made in night.ledger.promotions()] == ([0] if operation == "fail" else [0, 1])
    night.close()


def test_connections_that_the_server_ends_are_made_anew_without_a_word(
    postgresql_url: str, night_class: type[Night]
) -> None:
    time = FakeTime()
    night = night_class(postgresql_url, patience=time.patience()).sign_on()
    number = night.begin("baseline:0")
    other = sa.create_engine(sa.make_url(postgresql_url).set(drivername="postgresql+psycopg"))
    with other.connect() as connection:
        query = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert connection.scalar(sa.text(query)) >= 2
    other.dispose()
    assert night.finish(number, 2.0).promotion is not None
    assert time.said == []
    night.check()
    night.close()


def test_a_server_that_stays_away_is_given_up_after_the_limit(door: tuple[Door, str], night_class: type[Night]) -> None:
    shutter, url = door
    time = FakeTime()
    night = night_class(url, patience=time.patience(limit_seconds=120.0)).sign_on()
    shutter.shut()
    with pytest.raises(StorageError, match=r"does not answer: .*; start the same command again when it does"):
        night.ledger.history()
    assert 120 <= time.now < 130
    assert len(time.said) == 1
    night.close()
    shutter.reopen()


def test_a_locked_file_is_waited_for(sqlite_url: str, night_class: type[Night]) -> None:
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    time = FakeTime(lambda now: holder.execute("ROLLBACK") if now > 10 and holder.in_transaction else None)
    night = night_class(f"{sqlite_url}?timeout=0.01", patience=time.patience())
    holder.execute("BEGIN EXCLUSIVE")
    assert night.ledger.start_run({})
    assert "(database is locked): waiting for up to 10 minutes" in time.said[0]
    assert len(time.said) == 2
    holder.execute("BEGIN EXCLUSIVE")
    night.ledger._patience = Patience(0.0)
    with pytest.raises(StorageError, match="is locked by another process"):
        night.ledger.start_run({})
    holder.close()
    night.close()


def test_an_outage_is_said_once_however_many_wait(sqlite_url: str, night_class: type[Night]) -> None:
    """A worker's threads share a database: here a second one begins to wait while the first does."""
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    night = night_class(f"{sqlite_url}?timeout=0.01")
    second = FakeTime(lambda now: holder.execute("ROLLBACK"))

    first = FakeTime(lambda now: second_waits())
    night.ledger._patience = first.patience()
    second.said = first.said

    def second_waits() -> None:
        night.ledger._patience = second.patience()
        night.ledger.start_run({})

    holder.execute("BEGIN EXCLUSIVE")
    night.ledger.start_run({})
    assert len(night.ledger.runs()) == 2
    assert ["waiting" in line for line in first.said] == [True, False], first.said
    holder.close()
    night.close()


def test_optunas_view_of_a_locked_file_is_waited_for_too(sqlite_url: str, night_class: type[Night]) -> None:
    night = night_class(f"{sqlite_url}?timeout=0.01").sign_on()
    number = night.begin("baseline:0")
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    time = FakeTime(lambda now: holder.execute("ROLLBACK") if holder.in_transaction else None)
    night.ledger._patience = time.patience()
    assert night.ledger.report(number, 10, 2.0)
    assert len(time.said) == 2
    holder.close()
    night.close()


def test_a_collision_of_two_transactions_is_repeated_without_a_word(postgresql_url: str) -> None:
    """A real deadlock: two transactions that lock two rows in opposite order."""
    with Database.open(postgresql_url) as db:
        with db.transaction() as session:
            session.execute(sa.text("CREATE TABLE pair (id int PRIMARY KEY, n int)"))
            session.execute(sa.text("INSERT INTO pair VALUES (1, 0), (2, 0)"))
        time, both = FakeTime(), threading.Barrier(2)
        first = {1: True, 2: True}

        def add(one: int, other: int) -> None:
            with db.transaction() as session:
                session.execute(sa.text(f"UPDATE pair SET n = n + 1 WHERE id = {one}"))
                if first.pop(one, False):
                    both.wait(30)
                session.execute(sa.text(f"UPDATE pair SET n = n + 1 WHERE id = {other}"))

        threads = [
            threading.Thread(target=db.patiently, args=(lambda one=one: add(one, 3 - one), time.patience()))
            for one in (1, 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with db.read() as session:
            assert session.execute(sa.text("SELECT n FROM pair")).scalars().all() == [2, 2]
    assert time.said == []


@pytest.mark.parametrize("wrong", ["SELECT * FROM nothing", "SELEC 1"])
def test_mistakes_of_ours_are_not_waited_out(postgresql_url: str, wrong: str) -> None:
    def ask() -> Any:
        with db.read() as session:
            return session.execute(sa.text(wrong))

    time = FakeTime()
    with Database.open(postgresql_url) as db, pytest.raises(sa.exc.ProgrammingError):
        db.patiently(ask, time.patience())
    assert (time.now, time.said) == (0.0, [])


def test_other_errors_pass_through() -> None:
    def fail() -> None:
        raise ValueError("not the database's")

    with pytest.raises(ValueError, match="not the database's"):
        waiting_out(fail, FakeTime().patience(), Outage(), "here")
