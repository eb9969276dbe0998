"""What a long job tells whoever watches it; the command line draws it, a library call need not."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A job goes through named stages, each of a known or unknown amount of work."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage of `total` units of work."""

    def advance(self, amount: int) -> None:
        """Report `amount` more units of the current stage as done."""

    def note(self, message: str) -> None:
        """Say one thing that the user should know."""


class Silent:
    """A progress report that nobody watches."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Ignore the stage."""

    def advance(self, amount: int) -> None:
        """Ignore the step."""

    def note(self, message: str) -> None:
        """Ignore the note."""
