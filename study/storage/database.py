"""One database that holds Optuna's tables and ours: SQLite in a file, or PostgreSQL.

Optuna's storage has an engine of its own on the same URL. Ours begins every writing transaction on SQLite with `BEGIN
IMMEDIATE`, so that what was read is still true when it is written; on PostgreSQL the same statements lock rows, or
carry what was read in their WHERE.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import URL, Connection, CursorResult, Engine, UpdateBase, create_engine, event, inspect, text
from sqlalchemy.orm import Session

from autoresearch.errors import StorageError, StudyError

from . import migrations
from .faults import DATABASE_ERRORS, Fault, explain, fault_of, lost_a_race
from .models import VERSION_TABLE
from .outages import IMPATIENT, Outage, Patience, waiting_out
from .url import file_of, parse
from .url import where as where_of

T = TypeVar("T")

_BUSY_SECONDS = 60  # SQLite: how long a transaction waits for another one
_RACES = 50
_HEADS: list[str] = []
_OPTUNA_TABLES = {
    "alembic_version",
    "studies",
    "study_directions",
    "study_system_attributes",
    "study_user_attributes",
    "trial_heartbeats",
    "trial_intermediate_values",
    "trial_params",
    "trial_system_attributes",
    "trial_user_attributes",
    "trial_values",
    "trials",
    "version_info",
}
# A server that vanishes without a word must not hold a worker for the two hours of the system's defaults.
_CONNECT_ARGS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class Database:
    """An open database. Use `open`; safe to share between threads, not between processes."""

    def __init__(self, engine: Engine, storage: RDBStorage, where: str) -> None:
        self.engine = engine
        self.storage = storage  # Optuna's view of the same database
        self.where = where  # for people: the file, or host, port and name
        self.path = file_of(engine.url)
        self._outage = Outage()
        self._writer = engine.execution_options(immediate=True)

    @classmethod
    def open(cls, url: str, create: bool = True) -> Database:
        """Open a database; with `create`, make the file and the tables that it lacks.

        Raises:
            StudyError: The URL is of no use, or without `create` there is no study's database there.
            StorageError: The database cannot be used; one line says why.
        """
        parsed = parse(url)
        where, path = where_of(parsed, url), file_of(parsed)
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # "A new study created …" is the command line's to say
        if path is not None:
            _check_file(path, where, create)
        with ExitStack() as on_failure:
            engine = _engine(parsed)
            on_failure.callback(engine.dispose)
            try:
                _check_tables(engine, where, create)
                if path is not None:
                    _use_wal(engine, where)
                storage = _until_no_race(partial(_optuna_storage, parsed))
                on_failure.callback(storage.engine.dispose)
                _check_optuna_version(storage, where)
                _until_no_race(partial(migrations.upgrade, engine, where))
            except DATABASE_ERRORS as error:
                raise StorageError(explain(error, where, path)) from error
            on_failure.pop_all()
        return cls(engine, storage, where)

    def close(self) -> None:
        """Give all connections back."""
        self.storage.remove_session()
        self.storage.engine.dispose()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at its end; on SQLite nobody else writes meanwhile."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def clock(self, session: Session) -> float:
        """Seconds since the epoch by the database's clock, at this moment."""
        if self.path is not None:
            return float(session.scalar(text("SELECT (julianday('now') - 2440587.5) * 86400.0")))
        return float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")))

    def now(self) -> float:
        """The clock, in a transaction of its own."""
        with self.read() as session:
            return self.clock(session)

    def patiently(self, operation: Callable[[], T], patience: Patience = IMPATIENT) -> T:
        """Run an operation that bears repetition, waiting out an outage; errors become one line."""
        return waiting_out(operation, patience, self._outage, self.where, self.path)


def rows_changed(session: Session, statement: UpdateBase) -> int:
    """Run an INSERT, UPDATE or DELETE; how many rows met its condition."""
    done = session.execute(statement)
    assert isinstance(done, CursorResult)
    return done.rowcount


def _check_file(path: Path, where: str, create: bool) -> None:
    try:
        if path.is_dir():
            raise StorageError(f"{where} is a folder: expected a file, as in sqlite:///study.db")
        if not path.parent.is_dir():
            raise StorageError(f"there is no folder {path.parent} for the database {where}: make it first")
        if not create and not path.exists():
            raise StudyError(f"there is no database {where}: `autoresearch study create` makes one")
    except OSError as error:
        raise StorageError(
            f"the database {where} cannot be reached: {error.strerror}; choose another folder"
        ) from error


def _check_tables(engine: Engine, where: str, create: bool) -> None:
    """Keep out of a file that belongs to something else; a server's database may be shared."""
    tables = set(inspect(engine).get_table_names())
    strangers = tables - _OPTUNA_TABLES - migrations.TABLES
    if engine.dialect.name == "sqlite" and strangers and not {"studies", "version_info"} <= tables:
        raise StorageError(
            f"the database {where} belongs to something else: it has a table {min(strangers)!r} and none of Optuna's; "
            "name another file"
        )
    if not create and VERSION_TABLE not in tables:  # what an older autoresearch's lacks is added
        raise StudyError(f"the database {where} holds no study of autoresearch: `autoresearch study create` makes one")


def _engine(url: URL) -> Engine:
    serializer = partial(json.dumps, allow_nan=False)  # PostgreSQL would refuse it, SQLite would not
    engine = create_engine(url, json_serializer=serializer, **_engine_options(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _engine_options(url: URL) -> dict[str, Any]:
    if url.drivername == "sqlite":
        return {"connect_args": {} if "timeout" in url.query else {"timeout": _BUSY_SECONDS}}
    return {"connect_args": dict(_CONNECT_ARGS), "pool_pre_ping": True}


def _on_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions late, and with the wrong kind
    connection.execute("PRAGMA foreign_keys=ON")


def _on_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _optuna_storage(url: URL) -> RDBStorage:
    text_url = url.render_as_string(hide_password=False)
    escaped = text_url.replace("{", "{{").replace("}", "}}")  # Optuna fills a template in
    storage = RDBStorage.__new__(RDBStorage)
    try:
        RDBStorage.__init__(storage, escaped, engine_kwargs=_engine_options(url), skip_compatibility_check=True)
    except BaseException:
        storage.engine.dispose()  # it is out of reach when a constructor fails
        raise
    return storage


def _optuna_head(storage: RDBStorage) -> str:
    """The version of tables that this Optuna makes; found once a process, for it reads all of Optuna's migrations."""
    if not _HEADS:
        _HEADS.append(storage.get_head_version())
    return _HEADS[0]


def _check_optuna_version(storage: RDBStorage, where: str) -> None:
    current, head = storage.get_current_version(), _optuna_head(storage)
    if current == head:
        return
    if current in storage.get_all_versions():
        cure = "bring them up with `optuna storage upgrade --storage URL`"
    else:
        cure = "upgrade Optuna"
    raise StorageError(f"the database {where} has another Optuna's tables (version {current}, not {head}): {cure}")


def _use_wal(engine: Engine, where: str) -> None:
    """Readers and one writer at a time; it stays in the file."""
    for attempt in range(_RACES):
        try:
            # Outside of a transaction, which this pragma needs.
            connection = engine.raw_connection()
            try:
                mode = connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone()[0]
            finally:
                connection.close()
        except DATABASE_ERRORS as error:
            if fault_of(error, None) is not Fault.AWAY or attempt == _RACES - 1:
                raise
            time.sleep(0.1)  # SQLite does not wait for other connections here
            continue
        if mode != "wal":
            raise StorageError(
                f"the file system of {where} cannot hold a database of several processes (is it a network's?): "
                "use a local disk, or postgresql://"
            )
        return


def _until_no_race(make: Callable[[], T]) -> T:
    """Make tables that another process may be making at the same moment: who loses looks again."""
    for _ in range(_RACES):
        try:
            return make()
        except DATABASE_ERRORS as error:
            if not lost_a_race(error):
                raise
    return make()
