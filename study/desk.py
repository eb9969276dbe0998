"""What an editor is told about a study, and what becomes of its texts before they get a budget."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial

from autoresearch.knobs import KnobValue
from autoresearch.revision import with_defaults
from autoresearch.static_check import check_source

from .allowance import limits_after
from .briefing.lessons import due, finished_search_trials, lessons_prompt, scratchpad_of
from .briefing.program import Program
from .briefing.write import write_briefing
from .duplicates import fingerprint
from .editors.blocks import EditError
from .editors.editor import Briefing, EditContext, EditorSpentError, EditorUnavailableError
from .editors.paid import PaidModel
from .editors.scratchpad import noted
from .measure import Bench
from .planner import Plan
from .records import Incumbent, Lessons, Purpose, RequestState, Revision, Status
from .report.figures import bpb
from .storage.ledger import Ledger


class Desk:
    """Furnishes an editor that reads.

    Args:
        ledger: The study's.
        bench: This machine's side of it.
        plan: How it is searched.
        program: The human's instructions.
        model: Who keeps the scratchpad of lessons; None where nobody does.
    """

    def __init__(
        self,
        ledger: Ledger,
        bench: Bench,
        plan: Plan,
        program: Program,
        model: PaidModel | None,
    ) -> None:
        self._ledger, self._bench, self._plan = ledger, bench, plan
        self._program, self._model = program, model

    def context(self, base: Revision, incumbent: Incumbent, used: frozenset[str]) -> EditContext:
        """Everything that an editor of this incumbent is told."""
        kept = self._ledger.requests.latest_lessons()
        lessons = "" if kept is None else kept.text
        briefing = self._briefing(lessons)
        is_due = due(self._ledger.history(), 0 if kept is None else kept.trials_seen)
        if self._model is not None and is_due and not self._is_asked_for_lessons():
            # Where they cannot be had, there may still be an answer that is paid for and waits to be used.
            with contextlib.suppress(EditorSpentError, EditorUnavailableError):
                briefing = self._briefing(self._refreshed(self._model, briefing, kept))
        return EditContext(base.source, base.sha256, used, briefing, partial(self.check, base, incumbent.values))

    def check(self, base: Revision, values: Mapping[str, KnobValue], source: str, *, own: str = "") -> None:
        """Raise where a whole new text is not worth a budget: in seconds, and before it gets one.

        Args:
            base: What it is an edit of.
            values: Of the knobs.
            source: The text.
            own: How the keys begin under which it may wait for its trial already, if it may.

        Raises:
            EditError: It is, but for its looks, a text that the study has seen.
            RevisionError: It does not keep the contract.
            TrialError: It fails in a trial of two steps.
        """
        check_source(source)
        self._refuse_duplicate(base, values, source)
        self._refuse_waiting(source, own)
        self._bench.preflight.check(source, values, base)

    def _briefing(self, lessons: str) -> Briefing:
        return write_briefing(
            self._ledger,
            self._bench.settings,
            self._program,
            self._bench.device,
            answer_format="" if self._plan.editor is None else self._plan.editor.answer_format,
            lessons=lessons,
            limits=limits_after(self._ledger.history(), self._bench.supervisor.limits),
            min_delta=self._plan.min_delta,
            max_gain=self._plan.max_gain,
        )

    def _is_asked_for_lessons(self) -> bool:
        """Whether another worker waits for them: once is enough."""
        requests = self._ledger.requests.history()
        return any(one.purpose is Purpose.LESSONS and one.state is RequestState.SENT for one in requests)

    def _refreshed(self, model: PaidModel, briefing: Briefing, kept: Lessons | None) -> str:
        lessons = "" if kept is None else kept.text
        seen = finished_search_trials(self._ledger.history())
        question = lessons_prompt(
            self._ledger, self._bench.settings, lessons, min_delta=self._plan.min_delta, max_gain=self._plan.max_gain
        )
        answer = noted(model, briefing, question, seen, 0 if kept is None else kept.trials_seen)
        text = scratchpad_of(answer.text) or lessons  # a model that declines leaves them as they are
        self._ledger.requests.add_lessons(text, answer.trials_seen, draft=answer.draft)
        return text

    def _refuse_duplicate(self, base: Revision, values: Mapping[str, KnobValue], source: str) -> None:
        new = fingerprint(source)
        if new in (fingerprint(base.source), fingerprint(with_defaults(base.source, values))):
            raise EditError("the edit changes nothing but comments or layout")
        tried = {trial.revision: trial for trial in self._ledger.history() if trial.status is not Status.INTERRUPTED}
        for revision in self._ledger.revisions():
            trial = tried.get(revision.sha256)
            if trial is not None and fingerprint(revision.source) == new:
                came_to = trial.status if trial.val_bpb is None else f"{trial.status}, val_bpb {bpb(trial.val_bpb)}"
                raise EditError(
                    f"but for comments and layout the edit gives the text of trial {trial.number} "
                    f"({revision.title}: {came_to}): propose another one"
                )

    def _refuse_waiting(self, source: str, own: str) -> None:
        """Another worker may have had the same idea."""
        new = fingerprint(source)
        for _, proposal in self._ledger.waiting():
            if proposal.edit is None or proposal.error or (own and proposal.key.startswith(own)):
                continue
            if fingerprint(self._ledger.revision(proposal.revision).source) == new:
                raise EditError(
                    f"but for comments and layout the edit gives the text of one that waits for its trial "
                    f"({proposal.title}): propose another one"
                )
