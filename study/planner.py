"""What to try next, decided from the database alone: a restarted study proposes what it would have proposed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from autoresearch.errors import StudyError, TrialError

from .drafting import Drafting
from .edit_queue import Check, EditQueue
from .editors.editor import EditContext, Editor, unless_closed
from .edits import KnobsOf, defaults_of
from .noise import sigma_of
from .records import SEARCH_KINDS, Edit, Incumbent, Kind, Proposal, Revision, Status, TrialRecord, first_key
from .search.observations import Target, observed
from .search.policy import Policy, next_kind
from .search.propose import SamplerName, propose
from .settings import StudySettings
from .storage.ledger import Ledger

# Runs of the baseline that may fail before that is no accident.
_BASELINE_FAILURES = 2
FIRST_BASELINE = "baseline:0"
_FAILED = (Status.CRASH, Status.OOM, Status.OVER_BUDGET, Status.CHEAT)


ContextOf = Callable[[Revision, Incumbent, frozenset[str]], EditContext]


def plain_context(base: Revision, incumbent: Incumbent, used: frozenset[str]) -> EditContext:
    """What an editor is told that needs to know nothing but the text."""
    return EditContext(base.source, base.sha256, used)


@dataclass(frozen=True)
class Plan:
    """How to search: what the user may choose anew each time."""

    sampler: SamplerName
    policy: Policy
    editor: Editor | None
    baseline_repeats: int
    min_delta: float | None = None
    max_gain: float | None = None  # a larger one is run again before it is believed
    max_cost: Decimal | None = None  # dollars that a language model may cost the study in all


class Planner:
    """Makes proposals for one worker.

    Every proposal is written to the database under a key of its own, so that two workers with the same idea end up with
    one of it, and a proposal that was made while a trial trained survives the worker.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: StudySettings,
        plan: Plan,
        knobs_of: KnobsOf,
        note: Callable[[str], None],
        context_of: ContextOf = plain_context,
        check: Check | None = None,
    ) -> None:
        self._ledger, self._settings, self._plan = ledger, settings, plan
        self._note, self._context_of, self._check = note, context_of, check
        self._editor = plan.editor
        self._drafting = Drafting(plan.editor, note) if plan.editor is not None and plan.editor.is_slow else None
        self._edits = EditQueue(ledger, settings.seed, plan.editor, knobs_of, note)

    @property
    def max_gain(self) -> float | None:
        """The gain that is believed at once; None for several times the noise."""
        return self._plan.max_gain

    @property
    def max_cost(self) -> Decimal | None:
        """Dollars that a language model may cost the study in all."""
        return self._plan.max_cost

    def next(self) -> tuple[int, Proposal]:
        """The proposal to run next, and its number in the database; made now if none is waiting.

        Raises:
            TrialError: The baseline failed, so there is nothing to build on.
        """
        while True:
            waiting = self._waiting()
            if waiting:
                return waiting[0]
            self._add_one()

    @property
    def prefetch_at(self) -> tuple[float, ...]:
        """The parts of a trial's budget at which to prefetch.

        Early enough to be ready, late enough not to disturb a first step; where an edit takes its time, it is asked for at
        once, and what is tried in its stead, should it be late, is decided on at the last moment.
        """
        return (0.3,) if self._drafting is None else (0.0, 0.9)

    @property
    def pays_ahead(self) -> bool:
        """Whether to prefetch may cost more than it takes to wait: not to be done for a trial that will never run."""
        return self._drafting is not None

    def prefetch(self, last_call: bool = True) -> None:
        """Have a proposal waiting, on the guess that the trials that run now will not be promoted.

        Args:
            last_call: Whether to do without an edit that is still on its way.
        """
        incumbent = self.incumbent_to_build_on()
        if incumbent is None or self._waiting():
            return
        if self._drafting is None or last_call:
            self._add_one()
        elif self._wants_edit(self._ledger.history()):
            self._draft(incumbent)

    def collect(self) -> None:
        """Raise what went wrong while an edit was drafted."""
        if self._drafting is not None:
            self._drafting.collect()

    def close(self) -> None:
        """Ask the editor for nothing more."""
        if self._drafting is not None:
            self._drafting.close()
        elif self._plan.editor is not None:
            self._plan.editor.close()

    def threshold(self, trial: TrialRecord) -> float:
        """The gain that a promotion takes: `min_delta`, else one standard deviation of the noise.

        Infinite for a run that measures the noise: it cannot be asked to exceed it.
        """
        if trial.kind not in SEARCH_KINDS:
            return math.inf
        if self._plan.min_delta is not None:
            return self._plan.min_delta
        sigma = sigma_of(self._ledger.history())
        if sigma is None:
            raise StudyError("the noise is not known: at least two baseline runs are needed; or give --min-delta")
        return sigma

    def _waiting(self) -> list[tuple[int, Proposal]]:
        """The proposals that can be run, after those that a promotion has overtaken were replaced or dropped, or checked beside the trials."""
        incumbent = self._ledger.incumbent()
        version = -1 if incumbent is None else incumbent.version
        for identity, proposal in self._ledger.outdated(version):
            if proposal.edit is not None and incumbent is not None:
                key = f"{first_key(proposal.key)}@v{version}"
                self._carry_over(replace(proposal.edit, key=key), proposal.revision, incumbent, identity)
            else:
                self._ledger.mark_stale(identity)
        # Here, and not where nothing waits: it has the thread before the next draft does.
        if incumbent is not None and (lost := self._edits.lost(self._ledger.history())) is not None:
            self._carry_over(*lost, incumbent)
        ready = self._ledger.ready(version)
        return [(identity, proposal) for identity, proposal in ready if proposal.kind is not Kind.CONFIRM]

    def incumbent_to_build_on(self) -> Incumbent | None:
        """None while baseline runs are still wanted."""
        baselines = [trial for trial in self._ledger.history() if trial.kind is Kind.BASELINE]
        failed = [trial for trial in baselines if trial.status in _FAILED]
        for trial in failed:
            # A repeat may fail by accident and is run again; without the first there is nothing to compare with.
            if trial.key == FIRST_BASELINE or len(failed) > _BASELINE_FAILURES:
                raise TrialError(
                    f"the baseline failed (trial {trial.number}, {trial.status}): {trial.reason}; "
                    "there is nothing to build on; make another study with a --source or --preset that runs here"
                )
        measured = sum(trial.status is Status.MEASURED for trial in baselines)
        return self._ledger.incumbent() if measured >= self._plan.baseline_repeats else None

    def _add_one(self) -> None:
        incumbent = self.incumbent_to_build_on()
        if incumbent is None:
            self._add_baseline()
            return
        history = self._ledger.history()
        if self._wants_edit(history):
            if self._drafting is not None:
                self._draft(incumbent)
            elif (edit := self._ask_editor(incumbent)) is not None:
                self._edits.add(edit, incumbent)
                return
        self._add_sample(history, incumbent)

    def _carry_over(self, edit: Edit, checked: str, incumbent: Incumbent, instead_of: int | None = None) -> None:
        """Propose an edit anew, of another incumbent than it was made for.

        Where edits are checked before they get a budget, one that makes a new text is checked again. That takes its time, and so
        is done beside the trials: until then the edit stays where it is. A worker without an editor that takes its time checks
        nothing: what cannot run shows in the trial.

        Args:
            edit: The edit, under its new key.
            checked: The sha256 of the text that it made before.
            incumbent: What it becomes an edit of.
            instead_of: The number of the proposal whose place it takes.
        """
        drafting, check = self._drafting, self._check
        is_known = edit.error or self._edits.makes(edit, incumbent) in (None, checked)
        if drafting is None or check is None or is_known:
            self._edits.add(edit, incumbent, instead_of)
            return
        base = self._edits.revision(incumbent.revision)
        whole = partial(check, base, incumbent.values, own=first_key(edit.key))
        unless = unless_closed(whole, lambda: drafting.is_closed)
        drafting.beside(lambda: self._edits.add_checked(edit, incumbent, unless, instead_of))

    def add_edit(self, edit: Edit, incumbent: Incumbent) -> None:
        """Propose an edit of the incumbent that came from elsewhere."""
        self._edits.add(edit, incumbent)

    def _wants_edit(self, history: Sequence[TrialRecord]) -> bool:
        available = self._editor is not None and not (self._drafting is not None and self._drafting.is_over)
        return next_kind(self._plan.policy, _tried(history), editor_available=available) is Kind.EDIT

    def _draft(self, incumbent: Incumbent) -> None:
        """Have an edit drafted; it is proposed as soon as it is there."""
        assert self._drafting is not None
        self._drafting.begin(lambda: self._context(incumbent), lambda edit: self._edits.add(edit, incumbent))

    def _context(self, incumbent: Incumbent) -> EditContext:
        assert self._editor is not None
        used = frozenset(first_key(key) for key in self._ledger.proposal_keys(f"{self._editor.name}:"))
        return self._context_of(self._edits.revision(incumbent.revision), incumbent, used)

    def _add_baseline(self) -> None:
        first = self._ledger.revisions()[0]
        index = len(self._ledger.proposal_keys("baseline:"))
        self._ledger.propose(
            Proposal(
                key=f"baseline:{index}",
                kind=Kind.BASELINE,
                revision=first.sha256,
                values=defaults_of(first),
                seed=self._settings.seed + index,
                incumbent_version=-1,
                title="baseline" if index == 0 else f"baseline, seed {self._settings.seed + index}",
            )
        )

    def _add_sample(self, history: Sequence[TrialRecord], incumbent: Incumbent) -> None:
        key = f"sample:{self._ledger.sample_count()}"
        sampler_seed = int(hashlib.sha256(f"{self._settings.seed} {key}".encode()).hexdigest()[:8], 16)
        lineage = self._ledger.lineage(incumbent.revision)
        target = Target(
            revision=incumbent.revision,
            lineage=lineage,
            values=incumbent.values,
            knobs={
                name: self._edits.revision(name).knobs for name in {*lineage, *(trial.revision for trial in history)}
            },
            context=self._settings.context,
        )
        states = self._ledger.sampler_states()
        seen = [observed(trial, states.get(trial.number)) for trial in history if trial.kind is not Kind.CONFIRM]
        draw = propose(self._plan.sampler, target, seen, sampler_seed)
        self._ledger.propose(
            Proposal(
                key=key,
                kind=Kind.SAMPLE,
                revision=incumbent.revision,
                values=draw.values,
                seed=self._settings.seed,
                incumbent_version=incumbent.version,
                parent=incumbent.number,
                title=f"sample on {incumbent.revision[:8]}",
                system_attrs=draw.system_attrs,
            )
        )

    def _ask_editor(self, incumbent: Incumbent) -> Edit | None:
        assert self._editor is not None
        edit = self._editor.propose(self._context(incumbent))
        if edit is None:
            self._note(f"the {self._editor.name} editor has no more edits: samples only from here")
            self._editor = None
        return edit


def _tried(history: Sequence[TrialRecord]) -> list[tuple[Kind, bool]]:
    """The search trials for a policy: the finished ones in the order in which they finished, then those under way."""
    trials = [trial for trial in history if trial.kind in SEARCH_KINDS and trial.status is not Status.INTERRUPTED]
    trials.sort(key=lambda trial: math.inf if trial.finished_at is None else trial.finished_at)
    return [(trial.kind, trial.status is Status.KEEP) for trial in trials]
