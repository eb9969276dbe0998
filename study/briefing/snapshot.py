"""What a study's database holds at one moment, as far as a briefing is written from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from autoresearch.errors import StudyError

from ..noise import sigma_of
from ..records import OPEN, Incumbent, Kind, Promotion, Proposal, Revision, Status, TrialRecord
from ..report.summary import Summary, summarize
from ..settings import StudySettings
from ..storage.ledger import Ledger
from ..storage.runs import Run


@dataclass(frozen=True)
class Snapshot:
    """A study that has an incumbent."""

    settings: StudySettings
    incumbent: Incumbent
    promotions: Sequence[Promotion]
    history: Sequence[TrialRecord]
    revisions: Mapping[str, Revision]  # by sha256
    lineage: tuple[str, ...]  # sha256 of each revision on the way to the incumbent's, which is the last
    runs: Sequence[Run]
    waiting: Sequence[Proposal]  # edits that are to be tried
    min_delta: float | None = None  # the user's bar for a promotion, instead of the noise
    max_gain: float | None = None  # the user's bar for a gain that must be reached twice

    @cached_property
    def summary(self) -> Summary:
        """What `study status` says, too."""
        return summarize(self.history, self.incumbent, self.promotions, self.settings, self.runs, dict(self.revisions))

    @cached_property
    def trials(self) -> Mapping[int, TrialRecord]:
        """By number."""
        return {trial.number: trial for trial in self.history}

    @property
    def threshold(self) -> float | None:
        """The gain over the incumbent that is kept; None where the noise is not known."""
        return sigma_of(self.history) if self.min_delta is None else self.min_delta

    @property
    def code(self) -> Revision:
        """The incumbent's."""
        return self.revisions[self.incumbent.revision]

    @property
    def finished(self) -> list[TrialRecord]:
        """The trials that say something about what they tried, in the order in which they finished."""
        ended = [trial for trial in self.history if trial.status not in (*OPEN, Status.INTERRUPTED)]
        told = [trial for trial in ended if trial.kind is not Kind.CONFIRM]
        return sorted(told, key=lambda trial: (trial.finished_at or 0.0, trial.number))

    @property
    def running_edits(self) -> list[TrialRecord]:
        """Edits that are under way."""
        return [trial for trial in self.history if trial.kind is Kind.EDIT and trial.status in OPEN]


def take(
    ledger: Ledger, settings: StudySettings, min_delta: float | None = None, max_gain: float | None = None
) -> Snapshot:
    """Read a study.

    Raises:
        StudyError: There is nothing to improve on yet.
    """
    # In this order: what is added in between is then known of all that speaks of it.
    incumbent = ledger.incumbent()
    if incumbent is None:
        raise StudyError(f"study {ledger.study.name!r} has nothing to edit yet: no baseline run has a score")
    queued = ledger.waiting()
    promotions, history = ledger.promotions(), ledger.history()
    return Snapshot(
        settings=settings,
        incumbent=incumbent,
        promotions=promotions,
        history=history,
        revisions={revision.sha256: revision for revision in ledger.revisions()},
        lineage=ledger.lineage(incumbent.revision),
        runs=ledger.runs(),
        waiting=[proposal for _, proposal in queued if proposal.kind is Kind.EDIT],
        min_delta=min_delta,
        max_gain=max_gain,
    )
