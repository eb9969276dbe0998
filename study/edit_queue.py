"""From edits to proposals: the queue of edits that wait for a trial, and of those that failed and wait to be recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from autoresearch.errors import AutoresearchError, KnobError, RevisionError, TrialError
from autoresearch.knobs import Knob, KnobValue

from .editors.blocks import EditError, apply
from .editors.editor import Editor
from .edits import KnobsOf, edited, inherited_values, sha256_of
from .records import Edit, Incumbent, Kind, Proposal, Revision, Status, TrialRecord, first_key
from .storage.ledger import Ledger


class Check(Protocol):
    """Raises where a whole text is not worth a budget."""

    def __call__(self, base: Revision, values: Mapping[str, KnobValue], source: str, *, own: str) -> None:
        """Given what it is an edit of, the values that it would run with, and under which keys it may wait itself."""


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

    def add(self, edit: Edit, incumbent: Incumbent, instead_of: int | None = None) -> None:
        """Propose an edit of the incumbent; one that fails already here is proposed with its error, to be recorded.

        Args:
            edit: The edit.
            incumbent: What it is an edit of.
            instead_of: The number of the proposal, made for another incumbent, whose place it takes.
        """
        proposal, put = self._proposal(edit, incumbent), self._putting(edit, instead_of)
        if edit.error:
            put(replace(proposal, error=edit.error))
            return
        base = self.revision(incumbent.revision)
        try:
            new = edited(edit, base, edit.key.partition(":")[0], self._knobs)
        except (EditError, RevisionError, TrialError) as error:
            put(replace(proposal, error=_with_tail(error)))
            return
        values = inherited_values(base, new, incumbent.values)
        if self._was_seen(new, values, edit.key):
            self._note(f"edit {edit.title!r} gives a text that the study has seen: no trial")
            put(proposal, stale=True)
            return
        self._ledger.add_revision(new)
        try:
            put(replace(proposal, revision=new.sha256, values=values))
        except KnobError as error:  # a default that Optuna's reading of the range does not hold
            put(replace(proposal, error=str(error)))

    def add_checked(
        self, edit: Edit, incumbent: Incumbent, check: Callable[[str], None], instead_of: int | None
    ) -> None:
        """The same after a check of the whole text: an EditError is no trial, a RevisionError or TrialError the edit's."""
        try:
            check(apply(self.revision(incumbent.revision).source, edit.blocks))
        except EditError as error:
            self._note(f"edit {edit.title!r}: {error}: no trial")
            self._putting(edit, instead_of)(self._proposal(edit, incumbent), stale=True)
        except (RevisionError, TrialError) as error:
            self.add(replace(edit, error=_with_tail(error)), incumbent, instead_of)
        else:
            self.add(edit, incumbent, instead_of)

    def _proposal(self, edit: Edit, incumbent: Incumbent) -> Proposal:
        """Of the incumbent's own text."""
        return Proposal(
            key=edit.key,
            kind=Kind.EDIT,
            revision=incumbent.revision,
            values=incumbent.values,
            seed=self._seed,
            incumbent_version=incumbent.version,
            parent=incumbent.number,
            title=edit.title,
            edit=edit,
        )

    def _putting(self, edit: Edit, instead_of: int | None) -> Callable[..., bool]:
        draft = None if self._editor is None else self._editor.draft_of(edit.key)
        return partial(self._ledger.propose, draft=draft, instead_of=instead_of)

    def _knobs(self, source: str) -> Mapping[str, Knob]:
        """The knobs of a text; no process is asked for those of a text that is written down."""
        name = sha256_of(source)
        known = next((revision.knobs for revision in self._ledger.revisions() if revision.sha256 == name), None)
        return self._knobs_of(source) if known is None else known

    def _was_seen(self, new: Revision, values: Mapping[str, KnobValue], key: str) -> bool:
        """Whether a trial would tell nothing: the text was tried or waits, for an edit that is tried anew with these values.

        Tried, and not merely known: a worker may have died between writing a revision down and proposing it.
        """
        tried = [
            (trial.revision, trial.values) for trial in self._ledger.history() if trial.status is not Status.INTERRUPTED
        ]
        waiting = [
            (proposal.revision, proposal.values)
            for _, proposal in self._ledger.waiting()
            if not proposal.error and first_key(proposal.key) != first_key(key)
        ]
        anew = "@" in key
        return any(
            revision == new.sha256 and (not anew or dict(theirs) == values) for revision, theirs in [*tried, *waiting]
        )

    def lost(self, history: Sequence[TrialRecord]) -> tuple[Edit, str] | None:
        """An edit to be proposed anew, since it beat its own parent and found another incumbent in its place.

        With it the sha256 of the text that it made.
        """
        for trial in history:
            if trial.kind is not Kind.EDIT or not trial.lost_race:
                continue
            key = f"{first_key(trial.key)}@{trial.number}"
            if key in self._ledger.proposal_keys(key):
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


def _with_tail(error: AutoresearchError) -> str:
    return f"{error}\n{error.tail}".strip()
