"""Databases for the tests of a study: a SQLite file, and PostgreSQL where a server answers.

`database_url` is a database with its tables, `empty_database_url` one without; each test gets one of its own, on each
of the two systems. A server other than the one on this machine: AUTORESEARCH_TEST_POSTGRESQL=postgresql://USER@HOST:PORT
(its user must be allowed to create databases).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from autoresearch.study.storage.database import Database

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


@pytest.fixture
def postgresql_url(postgresql_server: Server, prepared_postgresql: str) -> Iterator[str]:
    name = postgresql_server.create(prepared_postgresql)
    yield postgresql_server.url_of(name)
    postgresql_server.drop(name)


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
