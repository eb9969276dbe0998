"""What went wrong with a database, told apart by what helps: waiting, trying again, or a person."""

from __future__ import annotations

import re
import shutil
import sqlite3
from enum import Enum, auto
from pathlib import Path

import psycopg
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError

DATABASE_ERRORS = (DatabaseError, InterfaceError, StorageInternalError)
_OUR_BUGS = (IntegrityError, ProgrammingError, DataError)  # subclasses of DatabaseError that no outage explains

_FULL_BYTES = 256 * 1024  # less free than this, and an I/O error of SQLite means a full disk


class Fault(Enum):
    """What a failure of the database calls for."""

    AWAY = auto()  # does not answer, restarts, or is locked: wait
    COLLISION = auto()  # two transactions in each other's way: again, at once
    FULL = auto()
    CORRUPT = auto()
    READ_ONLY = auto()
    REFUSED = auto()  # no such database, no such user, wrong password
    OTHER = auto()


_SQLITE = {
    sqlite3.SQLITE_BUSY: Fault.AWAY,
    sqlite3.SQLITE_LOCKED: Fault.AWAY,
    sqlite3.SQLITE_CANTOPEN: Fault.AWAY,
    sqlite3.SQLITE_IOERR: Fault.AWAY,
    sqlite3.SQLITE_PROTOCOL: Fault.AWAY,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_CORRUPT: Fault.CORRUPT,
    sqlite3.SQLITE_NOTADB: Fault.CORRUPT,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
    sqlite3.SQLITE_PERM: Fault.READ_ONLY,
}

# By SQLSTATE, the longest prefix first: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = (
    ("40001", Fault.COLLISION),  # serialization failure
    ("40P01", Fault.COLLISION),  # deadlock
    ("42501", Fault.REFUSED),  # our user may not do this
    ("25006", Fault.READ_ONLY),  # a standby, or default_transaction_read_only
    ("53100", Fault.FULL),
    ("57014", Fault.OTHER),  # cancelled by somebody
    ("57P04", Fault.REFUSED),  # the database was dropped
    ("XX001", Fault.CORRUPT),
    ("XX002", Fault.CORRUPT),
    ("08", Fault.AWAY),  # connection exceptions
    ("53", Fault.AWAY),  # too many connections, out of memory
    ("55P03", Fault.AWAY),  # a lock is not available
    ("57", Fault.AWAY),  # shutting down, starting up
)

# libpq gives no SQLSTATE when it cannot connect; waiting does not cure these.
_REFUSED = re.compile(r"does not exist|authentication failed|no password supplied|pg_hba\.conf|not permitted to log in")


def fault_of(error: Exception, path: Path | None) -> Fault | None:
    """What kind of failure this is; None if it is no failure of the database, but a mistake of ours.

    Args:
        error: As SQLAlchemy or Optuna raised it.
        path: The database's file; None for a server.
    """
    cause = _cause(error)
    if isinstance(cause, sqlite3.Error):
        return _sqlite_fault(cause, path)
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        for prefix, fault in _POSTGRESQL:
            if cause.sqlstate.startswith(prefix):
                return fault
    elif isinstance(cause, psycopg.OperationalError):
        return Fault.REFUSED if _REFUSED.search(str(cause)) else Fault.AWAY
    return None if isinstance(_outer(error), _OUR_BUGS) else Fault.OTHER


def explain(error: Exception, where: str, path: Path | None) -> str:
    """One line for a person: what is wrong with the database, and what to do."""
    match fault_of(error, path):
        case Fault.AWAY if path is None:
            return f"the database {where} does not answer: {said(error)}; start the same command again when it does"
        case Fault.AWAY if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"the database {where} is locked by another process: end that one, then run the same command"
        case Fault.AWAY:
            return f"the database {where} cannot be read or written: {said(error)}; check the folder and the disk"
        case Fault.FULL:
            return f"no space left for the database {where}: free some, then run the same command; it goes on"
        case Fault.CORRUPT if _code(error) == sqlite3.SQLITE_NOTADB:
            return f"{where} is no SQLite database: name another file"
        case Fault.CORRUPT:
            return f"the database {where} is damaged ({said(error)}): restore it from a copy, or name another"
        case Fault.READ_ONLY:
            return f"the database {where} is read-only: a study must be able to write to it"
        case Fault.REFUSED:
            return f"cannot open the database {where}: {said(error)}"
    return f"the database {where} failed: {said(error)}"


def said(error: Exception) -> str:
    """The database's own words, on one line, without what its driver adds."""
    text = str(_cause(error)).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    first = re.sub(r"^.*?(?:failed: )+(?=\S)", "", lines[0])  # "connection failed: connection to … failed: FATAL:  …"
    return re.sub(r"^FATAL:\s*", "", first).rstrip(".")


def lost_a_race(error: Exception) -> bool:
    """Whether making a table failed because another process made it at the same moment."""
    cause = _cause(error)
    if isinstance(cause, psycopg.Error):
        return cause.sqlstate in ("42P07", "42710", "23505")
    return isinstance(cause, sqlite3.Error) and (
        "already exists" in str(cause) or isinstance(cause, sqlite3.IntegrityError)
    )


def _outer(error: Exception) -> BaseException:
    """The error of SQLAlchemy's that Optuna wrapped."""
    return error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error


def _cause(error: Exception) -> BaseException:
    """The driver's own error."""
    outer = _outer(error)
    orig = getattr(outer, "orig", None)
    return orig if isinstance(orig, BaseException) else outer


def _code(error: Exception) -> int | None:
    """SQLite's primary error code."""
    code: int | None = getattr(_cause(error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _sqlite_fault(error: sqlite3.Error, path: Path | None) -> Fault | None:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if isinstance(error, sqlite3.IntegrityError):
        return None
    if code == sqlite3.SQLITE_IOERR and path is not None and path.parent.is_dir():
        # SQLite says "disk I/O error" where it cannot extend the shared memory of its log.
        return Fault.FULL if shutil.disk_usage(path.parent).free < _FULL_BYTES else Fault.AWAY
    return _SQLITE.get(code, Fault.OTHER)
