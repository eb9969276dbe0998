"""A sandbox, chosen and furnished: what the process that starts candidates needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .grants import Grants
from .resources import Resources
from .rung import Rung


@dataclass(frozen=True)
class Sandbox:
    """Around the trials of one study."""

    rung: Rung
    grants: Grants
    resources: Resources = field(default_factory=Resources)

    @classmethod
    def for_study(cls, rung: Rung, folder: Path, devices: bool, hidden: Sequence[Path]) -> Sandbox:
        """With a study's folder, which is made if need be.

        Args:
            rung: From `choose`.
            folder: The study's.
            devices: Whether its trials train on a GPU.
            hidden: Folders that are nobody's business in there.

        Raises:
            SandboxError: The folder cannot be handed over.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return cls(rung, Grants.for_trials(folder, devices, hidden))

    @cached_property
    def enclosure(self) -> str:
        """What a candidate does to itself, as JSON."""
        return self.rung.enclosure(self.grants, self.resources).as_json()

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that runs another one in there."""
        return self.rung.command(command, self.grants)
