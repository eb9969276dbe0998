"""Studies: making, finding and deleting them, in Optuna's tables and ours together.

There is no transaction over both, so the order of the writes makes up for it. Making: our row (state `making`, with the
name reserved, the settings and revision 0) - Optuna's study - its attribute with our uuid - our row `ready`. Whoever
comes next with that name finishes what was begun. Deleting: our row `deleting` - Optuna's study - our rows.
"""

from __future__ import annotations

import contextlib
import difflib
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from autoresearch.errors import StudyError

from ..records import Revision
from . import leases, revisions
from .books import Observer, silent
from .database import Database
from .models import RevisionRow, StudyRow

ATTRIBUTE = "autoresearch"  # of the Optuna study: our uuid
_LONGEST_NAME = 512
_LONGEST_SETTING = 60  # characters that the dashboard shows of one


@dataclass(frozen=True)
class Study:
    """An open study."""

    id: str  # ours, a uuid
    name: str
    optuna: optuna.Study
    optuna_id: int
    settings: Mapping[str, Any]


def create_study(
    db: Database, name: str | None, settings: Mapping[str, Any], revision0: Revision, observe: Observer = silent
) -> Study:
    """Make a study; the name is Optuna's kind of automatic one if None.

    A study that was begun under this name, with the same settings, and not finished, is finished.

    Raises:
        StudyError: There is a study of this name.
    """
    name = name if name is not None else f"no-name-{uuid.uuid4()}"
    if not name.strip() or len(name) > _LONGEST_NAME or "\0" in name:
        raise StudyError(f"a study cannot be called {name[:80]!r}: expected 1 to {_LONGEST_NAME} characters")
    return db.patiently(partial(_create, db, name, dict(settings), revision0, observe))


def open_study(db: Database, name: str | None) -> Study:
    """Find a study by its name, or the only one there is.

    Raises:
        StudyError: There is none, there are several and no name was given, or it is not ours.
    """
    return db.patiently(partial(_open, db, name))


def study_names(db: Database) -> list[str]:
    """The studies of ours in this database, oldest first."""
    return db.patiently(partial(_names, db))


def delete_study(db: Database, name: str, *, force: bool = False, observe: Observer = silent) -> None:
    """Delete a study with everything that belongs to it, Optuna's rows included.

    Raises:
        StudyError: There is none of this name, it is not ours, or a worker is alive in it and `force` is not given.
    """
    db.patiently(partial(_delete, db, name, force, observe))


def _create(db: Database, name: str, settings: dict[str, Any], revision0: Revision, observe: Observer) -> Study:
    _finish_deleting(db, name, observe)
    attributes, row = _look(db, name)
    if row is None or row.state != "making":
        if attributes is not None:
            raise _exists(name) if ATTRIBUTE in attributes else _not_ours(name)
        try:
            with db.transaction() as session:
                row = StudyRow(
                    id=str(uuid.uuid4()),
                    state="making",
                    reserved=name,
                    settings=settings,
                    created_at=db.clock(session),
                )
                session.add(row)
                session.flush()
                revisions.insert(session, row.id, revision0, row.created_at)
        except IntegrityError:  # the name was reserved by somebody else at the same moment
            row = _reserved(db, name)
            if row is None:  # and is made by now
                raise _exists(name) from None
        observe("study:reserved")
    study = _finish_making(db, row, observe)
    with db.read() as session:
        same = session.get(RevisionRow, (row.id, revision0.sha256)) is not None
    if row.settings != settings or not same:
        raise _exists(name)
    return study


def _finish_making(db: Database, row: StudyRow, observe: Observer) -> Study:
    """All that follows the reservation; several processes may do it at once."""
    name = row.reserved
    assert name is not None
    try:
        study = optuna.create_study(storage=db.storage, study_name=name, direction="minimize")
    except DuplicatedStudyError:
        study = optuna.load_study(storage=db.storage, study_name=name)
        attributes = study.user_attrs
        if attributes.get(ATTRIBUTE) != row.id and (attributes or study.get_trials(deepcopy=False)):
            _forget(db, row.id)  # somebody made one between our look and our reservation
            raise (_exists(name) if ATTRIBUTE in attributes else _not_ours(name)) from None
    observe("study:optuna")
    study.set_user_attr(ATTRIBUTE, row.id)
    for key, value in _readable(row.settings).items():
        study.set_user_attr(key, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(["val_bpb"])
    observe("study:attrs")
    with db.transaction() as session:
        now = session.get(StudyRow, row.id, with_for_update=True)
        if now is None or now.state == "deleting":
            raise StudyError(f"the study {name!r} was deleted while it was made")
        now.state, now.reserved = "ready", None
    observe("study:ready")
    return _study(db, row, name)


def _open(db: Database, name: str | None) -> Study:
    if name is None:
        names = _names(db)
        if not names:
            raise StudyError(f"there is no study in {db.where}: `autoresearch study create` makes one")
        if len(names) > 1:
            raise StudyError(f"there are several studies in {db.where}, choose one with --study-name: {_list(names)}")
        name = names[0]
    row = _row_of(db, name)
    if row.state == "making":
        return _finish_making(db, row, silent)
    if row.state == "deleting":
        raise StudyError(f"the study {name!r} is being deleted: `autoresearch study delete` finishes that")
    return _study(db, row, name)


def _row_of(db: Database, name: str) -> StudyRow:
    """Our row of the study that is called so."""
    attributes, row = _look(db, name)
    if row is not None:
        sharing = [
            study.study_name for study in db.storage.get_all_studies() if study.user_attrs.get(ATTRIBUTE) == row.id
        ]
        if len(sharing) > 1:
            raise StudyError(
                f"the studies {_list(sharing)} are copies of one another and share one history: "
                "remove all but one with `optuna delete-study`"
            )
        return row
    if attributes is None:
        names = _names(db)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {_list(names)}" if names else "there is none yet"
        raise StudyError(f"there is no study {name!r} in {db.where}: {hint}")
    raise _not_ours(name)


def _look(db: Database, name: str) -> tuple[dict[str, Any] | None, StudyRow | None]:
    """Optuna's attributes of a study and our row of it, None for what is not there."""
    for _ in range(2):
        attributes = _optuna_attributes(db, name)
        ours = (attributes or {}).get(ATTRIBUTE)
        with db.read() as session:
            row = session.get(StudyRow, ours) if ours is not None else None
        row = row or _reserved(db, name)
        # One without our attribute and without a reservation may have been finished between the two looks.
        if row is not None or attributes is None or ATTRIBUTE in attributes:
            break
    return attributes, row


def _names(db: Database) -> list[str]:
    with db.read() as session:
        rows = session.scalars(select(StudyRow).where(StudyRow.state != "deleting").order_by(StudyRow.created_at)).all()
    known = {row.id for row in rows}
    names = [study.study_name for study in db.storage.get_all_studies() if study.user_attrs.get(ATTRIBUTE) in known]
    return names + [row.reserved for row in rows if row.reserved is not None and row.reserved not in names]


def _delete(db: Database, name: str, force: bool, observe: Observer) -> None:
    row = _row_of(db, name)
    alive = leases.live(db, row.id)
    if alive and not force:
        workers = ", ".join(f"process {lease.pid}" for lease in alive)
        raise StudyError(f"the study {name!r} has {len(alive)} living workers ({workers}): end them, or use --force")
    with db.transaction() as session:
        session.execute(delete(StudyRow).where(StudyRow.reserved == name, StudyRow.id != row.id))  # of a lost race
        now = session.get(StudyRow, row.id, with_for_update=True)
        if now is not None:
            now.state, now.reserved = "deleting", name
    observe("delete:marked")
    _finish_deleting(db, name, observe)


def _finish_deleting(db: Database, name: str, observe: Observer) -> None:
    row = _reserved(db, name)
    if row is None or row.state != "deleting":
        return
    attributes = _optuna_attributes(db, name)
    if attributes is not None and attributes.get(ATTRIBUTE, row.id) == row.id:
        with contextlib.suppress(KeyError):  # another process is deleting it, too
            optuna.delete_study(study_name=name, storage=db.storage)
    observe("delete:optuna")
    _forget(db, row.id)
    observe("delete:rows")


def _forget(db: Database, study: str) -> None:
    with db.transaction() as session:
        session.execute(delete(StudyRow).where(StudyRow.id == study))  # the rest goes with it


def _reserved(db: Database, name: str) -> StudyRow | None:
    with db.read() as session:
        return session.scalars(select(StudyRow).where(StudyRow.reserved == name)).one_or_none()


def _optuna_attributes(db: Database, name: str) -> dict[str, Any] | None:
    """The user attributes of Optuna's study of this name; None if there is none."""
    try:
        study_id = db.storage.get_study_id_from_name(name)
        return db.storage.get_study_user_attrs(study_id)
    except KeyError:
        return None


def _study(db: Database, row: StudyRow, name: str) -> Study:
    study = optuna.load_study(storage=db.storage, study_name=name)
    return Study(row.id, name, study, db.storage.get_study_id_from_name(name), dict(row.settings))


def _readable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the dashboard shows of the settings: single short values."""
    return {
        key: value
        for key, value in settings.items()
        if isinstance(value, (str, int, float)) and len(str(value)) <= _LONGEST_SETTING and key != ATTRIBUTE
    }


def _list(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _exists(name: str) -> StudyError:
    return StudyError(f"there is a study {name!r} already: --skip-if-exists goes on with it, or choose another name")


def _not_ours(name: str) -> StudyError:
    return StudyError(f"the study {name!r} was made by Optuna and not by autoresearch: choose another --study-name")
