"""From edits to proposals: the queue of edits that wait for a trial, and of those that failed and wait to be recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from autoresearch.errors import KnobError, RevisionError, TrialError
from autoresearch.knobs import KnobValue

from .editors.blocks import EditError, apply
from .editors.editor import Editor, accept
from .edits import KnobsOf, edited, inherited_values, sha256_of
from .records import Edit, Incumbent, Kind, Proposal, Revision, Status, TrialRecord
from .storage.ledger import Ledger


class EditQueue:
    """Proposes edits to the study.

    Args:
        ledger: The study's.
        seed: Of the edits' trials.
        editor: Whose edits they are, those of former runs apart.
        knobs_of: Reads a text's knobs.
        note: Is told of what becomes no trial.
    """

    def __init__(
        self, ledger: Ledger, seed: int, editor: Editor | None, knobs_of: KnobsOf, note: Callable[[str], None]
    ) -> None:
        self._ledger, self._seed, self._editor = ledger, seed, editor
        self._knobs_of, self._note = knobs_of, note
        self._revisions: dict[str, Revision] = {}

    def add(self, edit: Edit, incumbent: Incumbent, check: Callable[[str], None] = accept) -> None:
        """Propose an edit of the incumbent; one that fails already here is proposed with its error, to be recorded.

        Args:
            edit: The edit.
            incumbent: What it is an edit of.
            check: Of the whole text; an EditError, RevisionError or TrialError is the edit's.
        """
        base = self.revision(incumbent.revision)
        proposal = Proposal(
            key=edit.key,
            kind=Kind.EDIT,
            revision=base.sha256,
            values=incumbent.values,
            seed=self._seed,
            incumbent_version=incumbent.version,
            parent=incumbent.number,
            title=edit.title,
            edit=edit,
        )
        add = partial(self._ledger.propose, draft=None if self._editor is None else self._editor.draft_of(edit.key))
        if edit.error:
            add(replace(proposal, error=edit.error))
            return
        try:
            new = edited(edit, base, edit.key.partition(":")[0], self._knobs_of)
        except (EditError, RevisionError, TrialError) as error:
            add(replace(proposal, error=str(error)))
            return
        values = inherited_values(base, new, incumbent.values)
        if self._was_tried(new, values, anew="@" in edit.key):
            self._note(f"edit {edit.title!r} gives a text that the study has seen: no trial")
            add(proposal, stale=True)
            return
        try:
            check(new.source)
        except (EditError, RevisionError, TrialError) as error:
            add(replace(proposal, error=f"{error}\n{error.tail}".strip()))
            return
        self._ledger.add_revision(new)
        try:
            add(replace(proposal, revision=new.sha256, values=values))
        except KnobError as error:  # a default that Optuna's reading of the range does not hold
            add(replace(proposal, error=str(error)))

    def _was_tried(self, new: Revision, values: Mapping[str, KnobValue], anew: bool) -> bool:
        """Whether a trial would tell nothing: the text was tried, or for an edit that is tried anew the values as well.

        Tried, and not merely known: a worker may have died between writing a revision down and proposing it.
        """
        trials = [trial for trial in self._ledger.history() if trial.status is not Status.INTERRUPTED]
        same = [trial for trial in trials if trial.revision == new.sha256]
        return any(not anew or dict(trial.values) == values for trial in same)

    def lost(self, history: Sequence[TrialRecord]) -> tuple[Edit, str] | None:
        """An edit to be proposed anew, since it beat its own parent and found another incumbent in its place.

        With it the sha256 of the text that it made.
        """
        for trial in history:
            if trial.kind is not Kind.EDIT or not trial.lost_race:
                continue
            key = f"{first_key(trial.key)}@{trial.number}"
            if self._ledger.proposal_keys(key):
                continue
            revision = self.revision(trial.revision)
            title = revision.title.removesuffix(" (rebased)") + " (rebased)"
            return Edit(key, title, revision.hypothesis, revision.blocks, revision.program), revision.sha256
        return None

    def makes(self, edit: Edit, incumbent: Incumbent) -> str | None:
        """The sha256 of the text that an edit makes of the incumbent's; None where it makes none."""
        try:
            return sha256_of(apply(self.revision(incumbent.revision).source, edit.blocks))
        except EditError:
            return None

    def revision(self, sha256: str) -> Revision:
        """The revision with this full hash."""
        if sha256 not in self._revisions:
            self._revisions[sha256] = self._ledger.revision(sha256)
        return self._revisions[sha256]


def first_key(key: str) -> str:
    """The key under which an edit was first proposed."""
    return key.partition("@")[0]
