"""What an editor is: whatever proposes the next edit of the incumbent's `train.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..records import Edit


@dataclass(frozen=True)
class EditContext:
    """What an editor is told when it is asked for an edit. An editor that needs to know more adds a field."""

    source: str  # the incumbent's train.py
    revision: str  # its sha256
    used: frozenset[str] = frozenset()  # keys of the edits that the study has already seen


class Editor(Protocol):
    """Proposes edits one at a time."""

    name: str  # as it is recorded with each revision

    def propose(self, context: EditContext) -> Edit | None:
        """The next edit, whose key is not among those used; None when there is none to be had now."""
