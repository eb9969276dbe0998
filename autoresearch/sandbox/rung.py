"""A rung: one way to build the sandbox. There is a better one and a worse one; `choose.py` takes the best that holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .enclosure import Enclosure
from .grants import Grants
from .resources import Resources


class Rung(Protocol):
    """How the process that starts candidates is enclosed, and how they enclose themselves in it."""

    @property
    def name(self) -> str:
        """For people."""

    def obstacle(self) -> str | None:
        """Why it need not be tried here; None where it may work."""

    def command(self, command: Sequence[str], grants: Grants) -> list[str]:
        """The command that runs another command in the sandbox; file descriptors that it is handed are handed on.

        Args:
            command: Its first word is the full path of a program.
            grants: What it may touch.
        """

    def enclosure(self, grants: Grants, resources: Resources) -> Enclosure:
        """What a candidate does to itself in there."""
