"""Making, finding and deleting studies, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest
import sqlalchemy as sa

from autoresearch.errors import StudyError
from autoresearch.study.storage import Database, Ledger, create_study, delete_study, open_study, study_names
from autoresearch.study.storage.models import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Night, Processes

SETTINGS = {"budget": 300.0, "device": "cpu", "nested": {"a": 1}, "long": "x" * 100, "nothing": None}
MAKING = ("study:reserved", "study:optuna", "study:attrs", "study:ready")
DELETING = ("delete:marked", "delete:optuna", "delete:rows")


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as db:
        yield db


def rows(db: Database) -> dict[str, int]:
    """How many rows our tables hold, where they hold any."""
    with db.read() as session:
        counts = {
            name: session.scalar(sa.select(sa.func.count()).select_from(table))
            for name, table in Base.metadata.tables.items()
        }
    return {name: count for name, count in counts.items() if count}


def test_a_study_is_found_by_its_name_with_its_settings(db: Database, night_class: type[Night]) -> None:
    made = create_study(db, "night", SETTINGS, night_class.first)
    found = open_study(db, "night")
    assert (found.id, found.name, found.settings) == (made.id, "night", SETTINGS)
    assert found.optuna.direction is optuna.study.StudyDirection.MINIMIZE
    assert found.optuna.metric_names == ["val_bpb"]
    assert found.optuna.user_attrs == {"autoresearch": made.id, "budget": 300.0, "device": "cpu"}
    assert Ledger(db, found).revisions() == [night_class.first]


def test_without_a_name_it_gets_one(db: Database, night_class: type[Night]) -> None:
    made = create_study(db, None, {}, night_class.first)
    assert made.name.startswith("no-name-")
    assert study_names(db) == [made.name]
    assert open_study(db, None).id == made.id


def test_a_name_is_taken_once(db: Database, night_class: type[Night]) -> None:
    create_study(db, "night", SETTINGS, night_class.first)
    with pytest.raises(StudyError, match="there is a study 'night' already: --skip-if-exists"):
        create_study(db, "night", SETTINGS, night_class.first)


@pytest.mark.parametrize("name", ["", "  ", "x" * 513, "a\0b"])
def test_a_name_must_be_one(db: Database, night_class: type[Night], name: str) -> None:
    with pytest.raises(StudyError, match="cannot be called"):
        create_study(db, name, {}, night_class.first)


def test_optunas_own_studies_are_not_ours(db: Database, night_class: type[Night]) -> None:
    optuna.create_study(storage=db.storage, study_name="theirs")
    assert study_names(db) == []
    for use in (
        lambda: create_study(db, "theirs", {}, night_class.first),
        lambda: open_study(db, "theirs"),
        lambda: delete_study(db, "theirs"),
    ):
        with pytest.raises(StudyError, match="'theirs' was made by Optuna and not by autoresearch"):
            use()
    assert rows(db) == {}
    assert optuna.get_all_study_names(db.storage) == ["theirs"]


def test_one_must_be_chosen_among_several(db: Database, night_class: type[Night]) -> None:
    with pytest.raises(StudyError, match=r"there is no study in .*`autoresearch study create` makes one"):
        open_study(db, None)
    for name in ("monday", "tuesday"):
        create_study(db, name, {}, night_class.first)
    assert study_names(db) == ["monday", "tuesday"]
    with pytest.raises(StudyError, match=r"several studies in .*--study-name: 'monday', 'tuesday'"):
        open_study(db, None)
    with pytest.raises(StudyError, match=r"no study 'mondey' in .*: did you mean 'monday'"):
        open_study(db, "mondey")


def test_a_study_that_the_dashboard_renamed_is_the_same(db: Database, night_class: type[Night]) -> None:
    made = create_study(db, "night", SETTINGS, night_class.first)
    optuna.copy_study(
        from_study_name="night", from_storage=db.storage, to_storage=db.storage, to_study_name="a better name"
    )
    optuna.delete_study(study_name="night", storage=db.storage)
    assert study_names(db) == ["a better name"]
    assert open_study(db, None).id == made.id
    assert create_study(db, "night", {}, night_class.first).id != made.id
    delete_study(db, "a better name")
    assert study_names(db) == ["night"]


def test_copies_that_share_a_history_are_told_apart_by_a_person(db: Database, night_class: type[Night]) -> None:
    create_study(db, "night", SETTINGS, night_class.first)
    optuna.copy_study(from_study_name="night", from_storage=db.storage, to_storage=db.storage, to_study_name="copy")
    for use in (open_study, delete_study):
        with pytest.raises(StudyError, match="the studies 'night', 'copy' are copies of one another"):
            use(db, "copy")
    optuna.delete_study(study_name="copy", storage=db.storage)
    assert open_study(db, "night").settings == SETTINGS


def test_a_study_that_the_dashboard_deletes_at_work_is_said_to_be_gone(night: Night) -> None:
    number = night.begin("baseline:0")
    night.propose("sample:0")
    optuna.delete_study(study_name="night", storage=night.db.storage)
    with pytest.raises(StudyError, match="deleted while it was in use"):
        night.ledger.report(number, 10, 1.0)
    with pytest.raises(StudyError, match="deleted while it was in use"):
        night.claim("sample:0")


def test_deleting_takes_everything_along_and_nothing_else(db: Database, night: Night, night_class: type[Night]) -> None:
    other = create_study(db, "other", {}, night_class.first)
    before = rows(db)
    number = night.begin("baseline:0")
    night.finish(number, 2.0)
    night.ledger.close_lease(night.worker)
    delete_study(db, "night")
    assert study_names(db) == ["other"]
    assert optuna.get_all_study_names(db.storage) == ["other"]
    assert rows(db) == {"autoresearch_studies": 1, "autoresearch_revisions": 1}
    assert before["autoresearch_studies"] == 2
    assert open_study(db, "other").id == other.id
    with pytest.raises(StudyError, match="no study 'night'"):
        delete_study(db, "night")


def test_a_study_at_work_is_deleted_by_force_only(db: Database, night: Night) -> None:
    with pytest.raises(StudyError, match=r"'night' has 1 living workers .*--force"):
        delete_study(db, "night")
    number = night.begin("baseline:0")
    delete_study(db, "night", force=True)
    for use in (
        lambda: night.propose("sample:0"),
        lambda: night.ledger.report(number, 10, 1.0),
        lambda: night.ledger.judge(number, night.worker, 1.0, None, {}),
        lambda: night.ledger.add_revision(night.first),
        lambda: night.ledger.start_run({}),
    ):
        with pytest.raises(StudyError):
            use()


@pytest.mark.parametrize("finish", ["create", "open", "delete"])
def test_kill_9_while_a_study_is_made(
    database_url: str, children: type[Processes], night_class: type[Night], finish: str
) -> None:
    """Whoever comes next finishes it, or deletes it."""
    for point in MAKING:
        name = f"killed at {point}"

        def make(name: str = name, point: str = point) -> None:
            create_study(Database.open(database_url), name, SETTINGS, night_class.first, children.killing_at(point))

        assert children.in_child(make) == -9
        with Database.open(database_url) as db:
            assert name in study_names(db)
            if finish == "create" and point != "study:ready":
                study = create_study(db, name, SETTINGS, night_class.first)
            elif finish != "delete":
                study = open_study(db, name)
            if finish != "delete":
                assert study.optuna.user_attrs["autoresearch"] == study.id
                assert study.optuna.metric_names == ["val_bpb"]
                with pytest.raises(StudyError, match="already"):
                    create_study(db, name, SETTINGS, night_class.first)
            delete_study(db, name)
            assert rows(db) == {}
            assert optuna.get_all_study_names(db.storage) == []


def test_a_half_made_study_with_other_settings_is_not_taken_over(
    database_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    def make() -> None:
        create_study(
            Database.open(database_url), "night", SETTINGS, night_class.first, children.killing_at("study:reserved")
        )

    assert children.in_child(make) == -9
    with Database.open(database_url) as db:
        with pytest.raises(StudyError, match="there is a study 'night' already"):
            create_study(db, "night", {"budget": 600.0}, night_class.first)
        assert open_study(db, "night").settings == SETTINGS


def test_kill_9_while_a_study_is_deleted(
    database_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    for point in DELETING:
        with Database.open(database_url) as db:
            create_study(db, "night", SETTINGS, night_class.first)

        def delete(point: str = point) -> None:
            delete_study(Database.open(database_url), "night", observe=children.killing_at(point))

        assert children.in_child(delete) == -9
        with Database.open(database_url) as db:
            assert study_names(db) == []
            if point == "delete:marked":
                with pytest.raises(StudyError, match="is being deleted"):
                    open_study(db, "night")
            made = create_study(db, "night", {"budget": 600.0}, night_class.first)  # finishes the deletion first
            assert open_study(db, "night").settings == made.settings
            assert rows(db) == {"autoresearch_studies": 1, "autoresearch_revisions": 1}
            delete_study(db, "night")


def test_two_processes_that_make_the_same_study_make_one(
    database_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    def make(index: int) -> str:
        with Database.open(database_url) as db:
            try:
                return create_study(db, "night", SETTINGS, night_class.first).id
            except StudyError:  # the other one was done already
                return open_study(db, "night").id

    assert len(set(children.at_once(3, make))) == 1
    with Database.open(database_url) as db:
        assert rows(db) == {"autoresearch_studies": 1, "autoresearch_revisions": 1}
