"""Our tables' versions."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event

from autoresearch.errors import StorageError
from autoresearch.study.storage import Database, migrations
from autoresearch.study.storage.models import PREFIX, VERSION_TABLE, Base

if TYPE_CHECKING:
    from .conftest import Processes


def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    def ours(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        return kind != "table" or (name or "").startswith(PREFIX)

    with Database.open(database_url) as db, db.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "include_name": ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_head_is_the_newest_file() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == migrations.HEAD
    assert {found.revision for found in script.walk_revisions()} == {
        f"{number:04}" for number in range(1, int(migrations.HEAD) + 1)
    }


def test_a_file_of_migrations_can_be_made_from_the_template() -> None:
    template = (Path(migrations.__file__).parent / "script.py.mako").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", template)) <= {"message", "imports", "repr", "upgrades"}


def test_a_newer_autoresearchs_database_is_left_alone(database_url: str) -> None:
    with Database.open(database_url) as db, db.transaction() as session:
        session.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    with pytest.raises(StorageError, match=r"made by a newer autoresearch .*'0999'.*: upgrade autoresearch") as caught:
        Database.open(database_url)
    assert "\n" not in str(caught.value)


def test_another_optunas_tables_are_left_alone(database_url: str) -> None:
    with Database.open(database_url) as db, db.transaction() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = 'v99.0.0.a'"))
    with pytest.raises(StorageError, match=r"has another Optuna's tables .*: upgrade Optuna") as caught:
        Database.open(database_url)
    assert "\n" not in str(caught.value)


def test_an_older_optunas_tables_are_not_upgraded_unasked(database_url: str) -> None:
    with Database.open(database_url) as db, db.transaction() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = 'v3.0.0.d'"))
    with pytest.raises(
        StorageError, match=r"has another Optuna's tables .*: bring them up with `optuna storage upgrade"
    ):
        Database.open(database_url)


def test_our_tables_are_added_to_a_database_of_optunas(empty_database_url: str) -> None:
    import optuna

    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")
    storage = optuna.storages.RDBStorage(url)
    optuna.create_study(storage=storage, study_name="theirs")
    storage.engine.dispose()
    with Database.open(empty_database_url) as db:
        assert db.storage.get_study_id_from_name("theirs") == 1


def test_kill_9_while_the_tables_are_made(empty_database_url: str, children: type[Processes], tmp_path: Path) -> None:
    """Before any statement that changes something: the next one to open the database finishes."""
    kills = 0
    for count in (1, 4, 9, 13, 16, 18, 22, 26, 30):
        url = f"sqlite:///{tmp_path / str(count)}.db" if "sqlite" in empty_database_url else empty_database_url

        def make(url: str = url, count: int = count) -> None:
            left = [count]

            def kill_at_last(*arguments: object) -> None:
                left[0] -= str(arguments[2]).lstrip().startswith(("CREATE", "INSERT"))
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

            event.listen(sa.Engine, "before_cursor_execute", kill_at_last)
            Database.open(url)

        kills += children.in_child(make) == -9
        if "sqlite" in url:
            with Database.open(url) as db:
                assert set(sa.inspect(db.engine).get_table_names()) > migrations.TABLES | {"trials", "version_info"}
    assert kills > 6  # on PostgreSQL each begins where the one before it was killed, and the last find all done
    with Database.open(url) as db:
        assert set(sa.inspect(db.engine).get_table_names()) > migrations.TABLES | {"trials", "version_info"}


def test_several_processes_may_make_the_tables_at_once(empty_database_url: str, children: type[Processes]) -> None:
    def make(index: int) -> set[str]:
        with Database.open(empty_database_url) as db:
            return set(sa.inspect(db.engine).get_table_names())

    for tables in children.at_once(4, make):
        assert tables > migrations.TABLES | {"trials", "version_info"}
