"""What to try next, decided from the database alone: a restarted study proposes what it would have proposed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from autoresearch.errors import KnobError, RevisionError, StudyError, TrialError
from autoresearch.knobs import KnobValue

from .editors.blocks import EditError
from .editors.editor import EditContext, Editor
from .edits import KnobsOf, defaults_of, edited, inherited_values
from .noise import sigma_of
from .records import SEARCH_KINDS, Edit, Incumbent, Kind, Proposal, Revision, Status, TrialRecord
from .search.observations import Target, observed
from .search.policy import Policy, next_kind
from .search.propose import SamplerName, propose
from .settings import StudySettings
from .storage.ledger import Ledger

# Runs of the baseline that may fail before that is no accident.
_BASELINE_FAILURES = 2
FIRST_BASELINE = "baseline:0"
_FAILED = (Status.CRASH, Status.OOM, Status.OVER_BUDGET, Status.CHEAT)


@dataclass(frozen=True)
class Plan:
    """How to search: what the user may choose anew each time."""

    sampler: SamplerName
    policy: Policy
    editor: Editor | None
    baseline_repeats: int
    min_delta: float | None = None
    max_gain: float | None = None  # a larger one is run again before it is believed


class Planner:
    """Makes proposals for one worker.

    Every proposal is written to the database under a key of its own, so that two workers with the same idea end up with
    one of it, and a proposal that was made while a trial trained survives the worker.
    """

    def __init__(
        self, ledger: Ledger, settings: StudySettings, plan: Plan, knobs_of: KnobsOf, note: Callable[[str], None]
    ) -> None:
        self._ledger, self._settings, self._plan = ledger, settings, plan
        self._knobs_of, self._note = knobs_of, note
        self._editor = plan.editor
        self._revisions: dict[str, Revision] = {}

    @property
    def max_gain(self) -> float | None:
        """The gain that is believed at once; None for several times the noise."""
        return self._plan.max_gain

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

    def prefetch(self) -> None:
        """Have a proposal waiting, on the guess that the trials that run now will not be promoted."""
        if self._incumbent_to_build_on() is not None and not self._waiting():
            self._add_one()

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
        """The proposals that can be run, after those that a promotion has overtaken were replaced or dropped."""
        incumbent = self._ledger.incumbent()
        version = -1 if incumbent is None else incumbent.version
        for identity, proposal in self._ledger.outdated(version):
            if proposal.edit is not None and incumbent is not None:
                key = f"{_first_key(proposal.key)}@v{version}"
                self._add_edit(replace(proposal.edit, key=key), incumbent)
            self._ledger.mark_stale(identity)
        ready = self._ledger.ready(version)
        return [(identity, proposal) for identity, proposal in ready if proposal.kind is not Kind.CONFIRM]

    def _incumbent_to_build_on(self) -> Incumbent | None:
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
        incumbent = self._incumbent_to_build_on()
        if incumbent is None:
            self._add_baseline()
            return
        history = self._ledger.history()
        if self._add_rebased(history, incumbent):
            return
        tried = _tried(history)
        if next_kind(self._plan.policy, tried, editor_available=self._editor is not None) is Kind.EDIT:
            edit = self._ask_editor(incumbent)
            if edit is not None:
                self._add_edit(edit, incumbent)
                return
        self._add_sample(history, incumbent)

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
            knobs={name: self._revision(name).knobs for name in {*lineage, *(trial.revision for trial in history)}},
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
        used = frozenset(_first_key(key) for key in self._ledger.proposal_keys(f"{self._editor.name}:"))
        base = self._revision(incumbent.revision)
        edit = self._editor.propose(EditContext(base.source, base.sha256, used))
        if edit is None:
            self._note(f"the {self._editor.name} editor has no more edits: samples only from here")
            self._editor = None
        return edit

    def _add_edit(self, edit: Edit, incumbent: Incumbent) -> None:
        """Propose an edit of the incumbent; one that fails already here is proposed with its error, to be recorded."""
        base = self._revision(incumbent.revision)
        proposal = Proposal(
            key=edit.key,
            kind=Kind.EDIT,
            revision=base.sha256,
            values=incumbent.values,
            seed=self._settings.seed,
            incumbent_version=incumbent.version,
            parent=incumbent.number,
            title=edit.title,
            edit=edit,
        )
        try:
            new = edited(edit, base, edit.key.partition(":")[0], self._knobs_of)
        except (EditError, RevisionError, TrialError) as error:
            self._ledger.propose(replace(proposal, error=str(error)))
            return
        values = inherited_values(base, new, incumbent.values)
        if self._was_tried(new, values, anew="@" in edit.key):
            self._note(f"edit {edit.title!r} gives a text that the study has seen: no trial")
            self._ledger.propose(proposal, stale=True)
            return
        self._ledger.add_revision(new)
        try:
            self._ledger.propose(replace(proposal, revision=new.sha256, values=values))
        except KnobError as error:  # a default that Optuna's reading of the range does not hold
            self._ledger.propose(replace(proposal, error=str(error)))

    def _was_tried(self, new: Revision, values: Mapping[str, KnobValue], anew: bool) -> bool:
        """Whether a trial would tell nothing: the text was tried, or for an edit that is tried anew the values as well.

        Tried, and not merely known: a worker may have died between writing a revision down and proposing it.
        """
        trials = [trial for trial in self._ledger.history() if trial.status is not Status.INTERRUPTED]
        same = [trial for trial in trials if trial.revision == new.sha256]
        return any(not anew or dict(trial.values) == values for trial in same)

    def _add_rebased(self, history: Sequence[TrialRecord], incumbent: Incumbent) -> bool:
        """Propose anew an edit that beat its own parent, but found another incumbent in its place."""
        for trial in history:
            if trial.kind is not Kind.EDIT or not trial.lost_race:
                continue
            key = f"{_first_key(trial.key)}@{trial.number}"
            if self._ledger.proposal_keys(key):
                continue
            revision = self._revision(trial.revision)
            title = revision.title.removesuffix(" (rebased)") + " (rebased)"
            self._add_edit(Edit(key, title, revision.hypothesis, revision.blocks), incumbent)
            return True
        return False

    def _revision(self, sha256: str) -> Revision:
        if sha256 not in self._revisions:
            self._revisions[sha256] = self._ledger.revision(sha256)
        return self._revisions[sha256]


def _tried(history: Sequence[TrialRecord]) -> list[tuple[Kind, bool]]:
    """The search trials for a policy: the finished ones in the order in which they finished, then those under way."""
    trials = [trial for trial in history if trial.kind in SEARCH_KINDS and trial.status is not Status.INTERRUPTED]
    trials.sort(key=lambda trial: math.inf if trial.finished_at is None else trial.finished_at)
    return [(trial.kind, trial.status is Status.KEEP) for trial in trials]


def _first_key(key: str) -> str:
    """The key under which an edit was first proposed."""
    return key.partition("@")[0]
