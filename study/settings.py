"""What a study is bound to when it is made: val_bpb under a time budget compares only between like and like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from autoresearch.errors import StudyError


@dataclass(frozen=True)
class StudySettings:
    """The budget, the data and the platform of every trial of a study."""

    preset: str
    seconds: float  # of training; of no account where `steps` is given
    steps: int | None
    data: str  # the dataset's name where the study was made
    fingerprint: str
    vocab_size: int
    context: int
    eval_tokens: int
    device: str  # its kind
    machine: str  # its name
    precision: str
    compiled: bool
    seed: int
    torch: str  # the version; another one may be faster or slower

    @property
    def budget(self) -> str:
        """The budget in words."""
        return f"{self.seconds:g} s" if self.steps is None else f"{self.steps} steps"

    def as_json(self) -> dict[str, Any]:
        """The settings as the database keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> StudySettings:
        """The settings that the database kept.

        Raises:
            StudyError: There is more or less than this version knows.
        """
        names = {field.name for field in fields(cls)}
        if stored.keys() != names:
            difference = ", ".join(sorted(stored.keys() ^ names))
            raise StudyError(
                f"the study was made by another version of autoresearch (its settings differ in {difference})"
            )
        return cls(**stored)
