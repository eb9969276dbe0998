"""Databases for the tests of a study: a SQLite file, and PostgreSQL where a server answers; and a night without training.

`database_url` is a database with its tables and nothing in them, `empty_database_url` one without; a test that asks for
one runs on each of the two systems. A server other than the one on this machine: AUTORESEARCH_TEST_POSTGRESQL=postgresql://USER@HOST:PORT
(its user must be allowed to create databases).
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, MetaData, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from autoresearch.presets import PRESETS, retarget
from autoresearch.revision import package_source
from autoresearch.study.edits import sha256_of
from autoresearch.study.records import Revision
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.studies import create_study

from .scored_night import SETTINGS, Night, knobs_of

SYSTEMS = ("sqlite", "postgresql")


class Server:
    """A PostgreSQL server on which databases can be made."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def create(self, template: str = "template0") -> str:
        """Make a database; returns its name."""
        name = f"autoresearch_test_{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def url_of(self, name: str) -> str:
        return self.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Server:
    given = os.environ.get("AUTORESEARCH_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
    url = make_url(given).set(drivername="postgresql+psycopg", database="postgres")
    server = Server(url.update_query_dict({"connect_timeout": "5"}))
    try:
        server.run("SELECT 1")
    except OperationalError as error:
        pytest.skip(f"no PostgreSQL server answers at {url.host}:{url.port} ({error.orig})")
    server.url = url
    return server


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables; to be copied."""
    path = tmp_path_factory.mktemp("prepared") / "study.db"
    Database.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def prepared_postgresql(postgresql_server: Server) -> Iterator[str]:
    """The name of a database with all tables; to be a template."""
    name = postgresql_server.create()
    Database.open(postgresql_server.url_of(name)).close()
    yield name
    postgresql_server.drop(name)


@pytest.fixture
def sqlite_url(tmp_path: Path, prepared_sqlite: Path) -> str:
    path = tmp_path / "study.db"
    shutil.copy(prepared_sqlite, path)
    return f"sqlite:///{path}"


class Reused:
    """One PostgreSQL database for many tests: emptying it takes a tenth of the time of dropping it and making another.

    A test that changes the tables themselves, or their versions, leaves it to be replaced.
    """

    def __init__(self, server: Server, template: str) -> None:
        self._server, self._template = server, template
        self.name = server.create(template)
        with self._connect() as connection:
            metadata = MetaData()
            metadata.reflect(connection)
            versions = ("autoresearch_version", "alembic_version", "version_info")
            self._full = [table.name for table in reversed(metadata.sorted_tables) if table.name not in versions]
            self._shape = self._look(connection)

    def empty(self) -> None:
        """Make it as new, for the next test."""
        with self._connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            if self._look(connection) == self._shape:
                for name in self._full:
                    connection.execute(text(f"DELETE FROM {name}"))
                return
        self._server.drop(self.name)
        self.name = self._server.create(self._template)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        engine = create_engine(self._server.url.set(database=self.name))
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def _look(self, connection: Connection) -> tuple[set[str], list[object]]:
        versions = "SELECT (SELECT version_num FROM autoresearch_version), (SELECT version_num FROM alembic_version)"
        return set(inspect(connection).get_table_names()), list(connection.execute(text(versions)).one())


@pytest.fixture(scope="session")
def reused_postgresql(postgresql_server: Server, prepared_postgresql: str) -> Iterator[Reused]:
    reused = Reused(postgresql_server, prepared_postgresql)
    yield reused
    postgresql_server.drop(reused.name)


@pytest.fixture
def postgresql_url(postgresql_server: Server, reused_postgresql: Reused) -> Iterator[str]:
    yield postgresql_server.url_of(reused_postgresql.name)
    reused_postgresql.empty()


@pytest.fixture(params=SYSTEMS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with its tables and no study."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=SYSTEMS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without anything; on SQLite not even the file."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'study.db'}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = server.create()
    yield server.url_of(name)
    server.drop(name)


@pytest.fixture(scope="session")
def first() -> Revision:
    """The text that a study begins with."""
    source = retarget(package_source(), PRESETS["cpu"])
    return Revision(sha256_of(source), source, knobs_of(source))


@pytest.fixture
def night_url(sqlite_url: str, first: Revision) -> str:
    """A database with a study that has no trial yet."""
    with Database.open(sqlite_url) as database:
        create_study(database, "night", SETTINGS.as_json(), first)
    return sqlite_url


@pytest.fixture
def night(night_url: str) -> Iterator[Night]:
    """A worker at work on it, whose trials the test scores."""
    with Database.open(night_url, create=False) as database:
        yield Night(database)


@pytest.fixture
def replay(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of recorded edits."""

    def write(*records: dict[str, str]) -> Path:
        path = tmp_path / "edits.jsonl"
        lines = [
            json.dumps({"title": f"edit {number}", "hypothesis": "why", "edits": [record]})
            for number, record in enumerate(records)
        ]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write
