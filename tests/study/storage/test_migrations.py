"""Our tables' versions."""

from __future__ import annotations

import os
import re
import signal
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event

from autoresearch.errors import StorageError
from autoresearch.study.records import Block, Edit, Purpose, RequestRecord
from autoresearch.study.storage import Database, Ledger, delete_study, migrations, open_study
from autoresearch.study.storage.models import PREFIX, VERSION_TABLE, Base, RevisionRow

if TYPE_CHECKING:
    from autoresearch.study.records import Revision

    from .conftest import Night, Processes


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


@pytest.fixture
def database_of_0001(empty_database_url: str, night_class: type[Night]) -> str:
    """What the first version left: a study with a revision and an edit in the queue."""
    url = sa.make_url(empty_database_url)
    url = url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url
    storage = optuna.storages.RDBStorage(url.render_as_string(hide_password=False))
    study = optuna.create_study(storage=storage, study_name="night", direction="minimize")
    study.set_user_attr("autoresearch", "a-uuid")
    storage.engine.dispose()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        _fill(connection, night_class.first)
    engine.dispose()
    return empty_database_url


def _fill(connection: sa.Connection, revision: Revision) -> None:
    tables = sa.MetaData()
    tables.reflect(connection, only=lambda name, _: name.startswith(PREFIX))
    edit = {"key": "replay:a", "title": "title", "hypothesis": "why", "blocks": [{"search": "a", "replace": "b"}]}
    common = {"study": "a-uuid", "title": "title", "created_at": 1.0}
    knob = {"name": "depth", "kind": "int", "default": 4}
    depth = optuna.distributions.distribution_to_json(revision.knobs["depth"].distribution)
    rows: dict[str, dict[str, object]] = {
        "studies": {"id": "a-uuid", "state": "ready", "settings": {"budget": 300.0}, "created_at": 1.0},
        "revisions": common
        | {"sha256": revision.sha256, "position": 0, "source": revision.source, "hypothesis": "", "editor": ""}
        | {"knobs": [knob | {"distribution": depth}], "optuna_names": {"depth": "depth"}, "blocks": []},
        "proposals": common
        | {"id": 1, "key": "replay:a", "kind": "edit", "revision": revision.sha256, "values": {"depth": 4}}
        | {"seed": 1, "incumbent_version": 0, "system_attrs": {}, "edit": edit, "error": "", "status": "ready"}
        | {"attempts": 0},
    }
    for name, row in rows.items():
        connection.execute(sa.insert(tables.tables[PREFIX + name]).values(row))


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_the_version_before_is_upgraded_with_what_is_in_it(
    database_of_0001: str, night_class: type[Night], create: bool
) -> None:
    """Also by a command that only reads, such as `study status`."""
    with Database.open(database_of_0001, create=create) as db:
        ledger = Ledger(db, open_study(db, None))
        [first] = ledger.revisions()
        assert (first.sha256, first.source, first.program) == (night_class.first.sha256, "first text", "")
        [(_, proposal)] = ledger.ready(0)
        assert proposal.edit == Edit("replay:a", "title", "why", (Block("a", "b"),), program="", error="")
        assert ledger.requests.programs() == {}
        request = RequestRecord("draft", Purpose.EDIT, "model", "", ({"role": "user"},), Decimal(1), "worker")
        assert ledger.requests.reserve(request, Decimal(1)) == request.id
        ledger.requests.add_lessons("less is more", 1)
        delete_study(db, "night")
        with db.read() as session:
            for table in Base.metadata.sorted_tables:
                assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table.name


def test_a_worker_of_the_version_before_may_go_on_writing(database_of_0001: str) -> None:
    """It does not fill the column that was added under its feet."""
    with Database.open(database_of_0001) as db:
        with db.transaction() as session:
            old = [column.name for column in RevisionRow.__table__.columns if column.name not in ("program", "sha256")]
            copied = ", ".join(["sha256", *old])
            chosen = ", ".join("2" if name == "position" else name for name in old)
            session.execute(
                sa.text(f"INSERT INTO {PREFIX}revisions ({copied}) SELECT 'second', {chosen} FROM {PREFIX}revisions")
            )
        assert [revision.program for revision in Ledger(db, open_study(db, None)).revisions()] == ["", ""]


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
