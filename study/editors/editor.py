"""What an editor is: whatever proposes the next edit of the incumbent's `train.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autoresearch.errors import AutoresearchError, RevisionError, TrialError

from ..records import Edit


class EditorUnavailableError(AutoresearchError):
    """No edit can be had now; the study goes on with samples and asks again later."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  # seconds


class EditorSpentError(AutoresearchError):
    """No edit can be had any more in this run: the money is spent, say, or the key is refused."""


@dataclass(frozen=True)
class Briefing:
    """What a language model is told, the parts that change least first, so that a provider can keep them at hand."""

    stable: str  # the instructions, the contract, the machine: the same all night
    source: str  # the incumbent's train.py: the same until the next promotion
    changing: str  # what was tried and what came of it
    program: str  # sha256 of the human's part of the instructions


def accept(source: str) -> None:
    """A check that finds nothing."""


@dataclass(frozen=True)
class EditContext:
    """What an editor is told when it is asked for an edit."""

    source: str  # the incumbent's train.py
    revision: str  # its sha256
    used: frozenset[str] = frozenset()  # keys of the edits that the study has already seen
    briefing: Briefing | None = None  # for an editor that reads
    # Raises EditError, RevisionError or TrialError where a whole new text is not worth a budget; it takes seconds.
    check: Callable[[str], None] = accept


def unless_closed(check: Callable[[str], None], is_closed: Callable[[], bool]) -> Callable[[str], None]:
    """A check whose failures count only while the editor is open: at the end of a night its process is killed under it.

    It raises an EditorSpentError in place of a failure that may not be the text's.
    """

    def checked(source: str) -> None:
        try:
            check(source)
        except (RevisionError, TrialError):
            if is_closed():
                raise EditorSpentError("the editor was closed while its edit was checked") from None
            raise

    return checked


class Editor(Protocol):
    """Proposes edits one at a time."""

    name: str  # as it is recorded with each revision; begins the key of each of its edits
    is_slow: bool  # whether to ask takes longer than a trial should wait for
    answer_format: str  # how it is told to answer; empty for one that is told nothing

    def propose(self, context: EditContext) -> Edit | None:
        """The next edit, whose key is not among those used; None when it has no more.

        Raises:
            EditorUnavailableError: Not now.
            EditorSpentError: Not any more.
        """

    def draft_of(self, key: str) -> str | None:
        """The conversation, in the study's account of requests, that an edit with this key came of; None if of none."""

    def close(self) -> None:
        """Stop what is under way, from whichever thread; it proposes nothing more."""
