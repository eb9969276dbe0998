"""Our tables' versions. Each change of `models.py` comes with a file in `versions/`; alembic runs those that are missing.

Its version table has a name of its own: Optuna keeps `alembic_version` for itself.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from autoresearch.errors import StorageError

from ..models import VERSION_TABLE, Base

HEAD = "0002"  # the newest file in versions/
TABLES = frozenset(Base.metadata.tables) | {VERSION_TABLE}

_LOCK = 0x6175746F  # any number that nobody else takes an advisory lock on


def upgrade(engine: Engine, where: str) -> None:
    """Bring our tables to `HEAD`, all or nothing.

    Raises:
        StorageError: A newer autoresearch made them.
    """
    with engine.connect() as connection:
        if _version(connection, where) == HEAD:
            return
    with engine.execution_options(immediate=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if _version(connection, where) != HEAD:  # else another process was faster
            _run(connection)


def _version(connection: Connection, where: str) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    if version is not None and version not in _known():
        raise StorageError(
            f"the database {where} was made by a newer autoresearch (its tables are of version {version!r}, this one "
            f"knows {HEAD!r}): upgrade autoresearch, or name another database"
        )
    return version


def _known() -> set[str]:
    """Every version up to `HEAD`: they are counted."""
    return {f"{number:04}" for number in range(1, int(HEAD) + 1)}


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
