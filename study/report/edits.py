"""A study's edits as the records that the `replay` editor takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..editors.replay import write_records
from ..records import Edit, Kind, Revision, Status, TrialRecord

_TRIED = (Status.KEEP, Status.DISCARD)


def edit_records(history: Sequence[TrialRecord], revisions: Mapping[str, Revision], *, kept_only: bool) -> str:
    """JSON lines: the edits that came to a score, in the order in which they were tried.

    An edit that was tried again on a newer incumbent has one line, in its first place, with the result that counts:
    that it was kept, if it was, else the last.

    Args:
        history: All trials, by number.
        revisions: All revisions, by hash.
        kept_only: Leave out what was not promoted.
    """
    trials = [trial for trial in history if trial.kind is Kind.EDIT and trial.status in _TRIED]
    edits: dict[str, Edit] = {}
    about: dict[str, Mapping[str, Any]] = {}
    kept: set[str] = set()
    for trial in trials:
        revision = revisions[trial.revision]
        first = next((key for key, edit in edits.items() if edit.blocks == revision.blocks), trial.key)
        edits.setdefault(first, Edit(first, revision.title, revision.hypothesis, revision.blocks))
        if first not in kept:
            about[first] = {"status": trial.status, "val_bpb": trial.val_bpb, "trial": trial.number}
        if trial.status is Status.KEEP:
            kept.add(first)
    return write_records([edit for key, edit in edits.items() if key in kept or not kept_only], about)
