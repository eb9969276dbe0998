"""The URL of a study's database: what is accepted, and how it is shown without its password."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from autoresearch.errors import StudyError

EXPECTED = "expected sqlite:///FILE.db or postgresql://USER@HOST/DATABASE"
# Only psycopg 3 comes with us; psycopg2's URLs mean the same.
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
_SQLITE = ("sqlite", "sqlite+pysqlite")


def parse(text: str) -> URL:
    """Read a storage URL and name its driver; a SQLite file's path is made absolute.

    Raises:
        StudyError: It is no URL, of a kind that cannot hold a study, or of a database in memory.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise StudyError(f"the storage {_hidden(text)!r} is no database URL: {EXPECTED}") from None
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in _SQLITE:
        raise StudyError(f"the storage {_hidden(text)!r} cannot hold a study: {EXPECTED}")
    database = url.database or ""
    if database in ("", ":memory:") or "mode" in url.query:
        raise StudyError(f"the storage {text!r} is gone when the process ends: {EXPECTED}")
    if database.startswith("file:"):
        raise StudyError(f"the storage {text!r} names its file as a URI: {EXPECTED}")
    return url.set(drivername="sqlite", database=str(Path(database).absolute()))


def where(url: URL, text: str) -> str:
    """A database as people call it: a file as it was given, or host, port and name. Never the password."""
    if url.drivername == "sqlite":
        return make_url(text).database or ""
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None for a server."""
    return Path(url.database) if url.drivername == "sqlite" and url.database else None


def _hidden(text: str) -> str:
    return re.sub(r"(//[^:/@]*):[^@]*@", r"\1:***@", text)
