"""What every operation on a study needs at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import optuna
from sqlalchemy.exc import IntegrityError

from autoresearch.errors import StudyError

from .database import Database
from .models import StudyRow

T = TypeVar("T")
Observer = Callable[[str], None]


def silent(point: str) -> None:
    """An observer that does nothing."""


@dataclass(frozen=True)
class Books:
    """The database, the study's identity in our tables and in Optuna's, and who watches."""

    db: Database
    id: str  # ours
    optuna_id: int  # the study's id in Optuna's tables
    optuna: optuna.Study
    observe: Observer

    def checked(self, operation: Callable[[], T]) -> T:
        """Run an operation; where it fails on missing rows because the study was deleted, say that."""
        try:
            return operation()
        except (IntegrityError, KeyError) as error:
            if self._exists():
                raise
            raise StudyError("this study was deleted while it was in use; nothing more can be written to it") from error

    def _exists(self) -> bool:
        with self.db.read() as session:
            ours = session.get(StudyRow, self.id)
        try:
            self.db.storage.get_study_name_from_id(self.optuna_id)
        except KeyError:
            return False
        return ours is not None
