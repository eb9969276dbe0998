"""The ledger of one study: every change of its state that a worker makes, each safe against kill -9 and against races.

A thin shell. What an operation does stands in the module that it calls; here it is only retried through a passing
outage of the database (`outages.py`). Every operation may therefore be repeated, and every one may be interrupted
between any two of its writes: `reconcile` finishes or takes back what a dead worker left.

The observer is called with a point's name after each write: `claim:taken`, `claim:optuna`, `claim:row`, `start`,
`judge`, `settle:decided` (or `settle:promoted`), `settle:attrs`, `settle:told`, `fail:row`, `fail:attrs`, `fail:told`,
`propose`, `revision`, `reconcile:…`, and what `request_ledger.py` names.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import optuna

from ..records import Incumbent, Promotion, Proposal, Revision, Status, TrialRecord
from . import claims, leases, mirror, promotion, proposals, reconcile, revisions, runs, trials
from .books import Books, Observer, silent
from .claims import Refusal
from .database import Database
from .leases import Lease, Phase
from .outages import IMPATIENT, Patience
from .promotion import Settlement
from .request_ledger import RequestLedger
from .runs import Run
from .studies import Study

T = TypeVar("T")


class Ledger:
    """All reads and writes of one study by a worker.

    Args:
        db: The open database.
        study: The study.
        patience: How long, and how, a passing outage is waited out; by default not at all.
        observe: Called with the name of each point after the write that it names.

    Raises (every operation):
        StorageError: The database cannot be used, and waiting did not help.
        StudyError: The study was deleted meanwhile, or what was asked for is not in it.
    """

    def __init__(
        self,
        db: Database,
        study: Study,
        *,
        patience: Patience = IMPATIENT,
        observe: Observer = silent,
    ) -> None:
        self.study = study
        self._books = Books(db, study.id, study.optuna_id, study.optuna, observe)
        self._patience = patience
        self.requests = RequestLedger(self._books, self._run)  # to language models

    def _run(self, operation: Callable[[], T]) -> T:
        return self._books.db.patiently(partial(self._books.checked, operation), self._patience)

    def through_outages(self, operation: Callable[[], T]) -> T:
        """Run something else that reads or writes the database, and that bears repetition, as patiently."""
        return self._run(operation)

    def now(self) -> float:
        """Seconds since the epoch by the database's clock."""
        return self._run(self._books.db.now)

    # The lineage of code.

    def add_revision(self, revision: Revision) -> None:
        """Write a revision down; one that is there already stays as it is. Its parent must be there."""
        self._run(lambda: revisions.add(self._books, revision))

    def revision(self, sha256: str) -> Revision:
        """The revision with this full hash."""
        return self._run(lambda: revisions.get(self._books, sha256))

    def revisions(self) -> list[Revision]:
        """All revisions in the order in which they were written: revision 0 first, parents before their edits."""
        return self._run(lambda: revisions.every(self._books))

    def lineage(self, sha256: str) -> tuple[str, ...]:
        """The hashes from revision 0 to this revision, oldest first, itself last."""
        return self._run(lambda: revisions.lineage(self._books, sha256))

    def optuna_names(self, sha256: str) -> dict[str, str]:
        """A revision's knobs -> their Optuna parameter names, which differ where a range changed its kind."""
        return self._run(lambda: revisions.optuna_names(self._books, sha256))

    # Runs and leases.

    def start_run(
        self, options: Mapping[str, Any], deadline: float | None = None, trial_limit: int | None = None
    ) -> str:
        """Write down that an `optimize` command began; returns the run's id. The deadline is on the database's clock."""
        run = str(uuid.uuid4())
        self._run(lambda: runs.start(self._books, run, options, deadline, trial_limit))
        return run

    def end_run(self, run: str) -> None:
        """Write down that an `optimize` command ended."""
        self._run(lambda: runs.end(self._books, run))

    def run(self, run: str) -> Run:
        """One run: its deadline, its limit, how many trials it started."""
        return self._run(lambda: runs.get(self._books, run))

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return self._run(lambda: runs.every(self._books))

    def open_lease(self, run: str, phase: Phase = Phase.SEARCH, ttl: float = leases.TTL_SECONDS) -> str:
        """Sign this process on as a worker of the run, for `ttl` seconds at a time; returns the worker's id."""
        worker = str(uuid.uuid4())
        self._run(lambda: leases.open_lease(self._books, worker, run, phase, ttl))
        return worker

    def renew(self, worker: str, ttl: float = leases.TTL_SECONDS) -> bool:
        """Extend a lease (every `ttl / 6` or so); False when it was reaped: this worker's trial is no longer its own."""
        return self._run(lambda: leases.renew(self._books, worker, ttl))

    def set_phase(self, worker: str, phase: Phase) -> bool:
        """Tell the other workers what this one is at; False when its lease was reaped."""
        return self._run(lambda: leases.set_phase(self._books, worker, phase))

    def close_lease(self, worker: str) -> None:
        """Sign off. What the worker left unfinished is the next reconciliation's."""
        self._run(lambda: leases.close(self._books, worker))

    def live_leases(self) -> list[Lease]:
        """The workers of this study that are alive, in the order in which they signed on."""
        return self._run(lambda: leases.live(self._books.db, self._books.id))

    # Proposals.

    def propose(
        self, proposal: Proposal, *, stale: bool = False, draft: str | None = None, instead_of: int | None = None
    ) -> bool:
        """Queue a trial; False if there is a proposal with this key already, in whatever state.

        A stale one is never run: it only takes the key. The draft that the proposal came of is marked as used in the
        same transaction, also where there is a proposal with this key already. In the same one, too, the ready proposal whose
        place it takes is withdrawn; where that is not ready any more nothing is queued.

        Raises:
            KnobError: The values are not exactly the knobs of the revision, each in its range.
        """
        return self._run(lambda: proposals.propose(self._books, proposal, stale, draft, instead_of))

    def ready(self, incumbent_version: int) -> list[tuple[int, Proposal]]:
        """What can be claimed, oldest first: baselines and confirmations, and searches for this incumbent."""
        return self._run(lambda: proposals.ready(self._books, incumbent_version))

    def outdated(self, incumbent_version: int) -> list[tuple[int, Proposal]]:
        """Ready samples and edits that were made for another incumbent than this: to be marked stale, or rebased."""
        return self._run(lambda: proposals.outdated(self._books, incumbent_version))

    def waiting(self) -> list[tuple[int, Proposal]]:
        """All that is ready, for whichever incumbent, oldest first."""
        return self._run(lambda: proposals.waiting(self._books))

    def mark_stale(self, proposal_id: int) -> bool:
        """Withdraw a ready proposal; False if it is not ready any more."""
        return self._run(lambda: proposals.mark_stale(self._books, proposal_id))

    def proposal_keys(self, prefix: str = "") -> list[str]:
        """The keys with this beginning, of proposals in any state, oldest first."""
        return self._run(lambda: proposals.keys(self._books, prefix))

    def sampler_states(self) -> dict[int, dict[str, Any]]:
        """For each trial what the sampler that proposed it wanted to find again, where it wanted something."""
        return self._run(lambda: proposals.sampler_states(self._books))

    def sample_count(self) -> int:
        """How many samples were ever proposed: the number of the next one."""
        return self._run(lambda: proposals.sample_count(self._books))

    # One trial, from claim to end.

    def claim(self, proposal_id: int, run: str, worker: str) -> TrialRecord | Refusal:
        """Take a ready proposal, make its Optuna trial and our row (status `claimed`).

        Counts against the run's `trial_limit`, except for confirmations and for edits that failed before they became
        one. A `Refusal` says why not: `QUOTA` is spent, another worker has it (`TAKEN`), this worker's lease is gone
        (`LEASE`).
        """
        claim = str(uuid.uuid4())
        return self._run(lambda: claims.claim(self._books, proposal_id, run, worker, claim))

    def start(self, number: int, worker: str) -> bool:
        """Go from claimed to running, before the trial's process is started; False when the trial is no longer this worker's."""
        return self._run(lambda: trials.start(self._books, number, worker))

    def report(self, number: int, step: int, value: float) -> bool:
        """Hand an intermediate value to Optuna; False when the trial is over already."""
        return self._run(lambda: mirror.report(self._books, number, step, value))

    def should_prune(self, number: int) -> bool:
        """What the pruner of `study.optuna` says about the values reported so far."""
        return self._run(lambda: mirror.should_prune(self._books, number))

    def judge(
        self, number: int, worker: str, val_bpb: float, test_bpb: float | None, result: Mapping[str, Any]
    ) -> bool:
        """Go from running to judged; False when the trial is no longer this worker's (its lease was lost): drop the result."""
        return self._run(lambda: trials.judge(self._books, number, worker, val_bpb, test_bpb, result))

    def settle(self, number: int, threshold: float) -> Settlement:
        """Decide what follows from a judged trial, and tell Optuna.

        baseline, confirm -> measured; `baseline:0` becomes incumbent version 0. sample, edit -> keep, if its gain over
        the incumbent of this moment exceeds the threshold, else discard. A settled trial gives its settlement again.
        """
        return self._run(lambda: promotion.settle(self._books, number, threshold))

    def fail(
        self,
        number: int,
        worker: str | None,
        status: Status,
        reason: str,
        tail: str = "",
        *,
        pruned: bool = False,
        vram_excess_gib: float | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> bool:
        """claimed, running -> a status without a score, and tell Optuna PRUNED or FAIL.

        An interrupted edit, baseline or confirmation is proposed again, and its count is given back.

        Args:
            number: The trial's.
            worker: Whose trial it must be; None: anybody's.
            status: pruned, crash, oom, over_budget, cheat or interrupted.
            reason: One line.
            tail: The end of the log or traceback.
            pruned: Tell Optuna PRUNED, which its samplers learn from, and not FAIL, which they ignore.
            vram_excess_gib: The constraint `vram_gib`: by how much the memory was short.
            result: What is known, of the fields of TrialResult.

        Returns:
            False when the trial is no longer this worker's, or over in another way.
        """
        end = trials.Failure(status, reason, tail, pruned, vram_excess_gib, dict(result or {}))
        return self._run(lambda: trials.fail(self._books, number, worker, end))

    def optuna_trial(self, number: int) -> optuna.trial.Trial:
        """Optuna's handle on a trial, for what the dashboard keeps with it."""
        return self._run(lambda: mirror.handle(self._books, number))

    # What stands written.

    def history(self) -> list[TrialRecord]:
        """All trials, by number."""
        return self._run(lambda: trials.history(self._books))

    def trial(self, number: int) -> TrialRecord:
        """One trial."""
        return self._run(lambda: trials.get(self._books, number))

    def incumbent(self) -> Incumbent | None:
        """What the next trials build on; None until `baseline:0` is measured."""
        return self._run(lambda: promotion.incumbent(self._books))

    def promotions(self) -> list[Promotion]:
        """Every change of the incumbent, by version."""
        return self._run(lambda: promotion.promotions(self._books))

    def reconcile(self, threshold_for: Callable[[TrialRecord], float]) -> list[str]:
        """Finish or take back what dead workers left; returns what was done, one plain line each.

        Args:
            threshold_for: The gain that a judged trial must exceed to be promoted.
        """
        return self._run(lambda: reconcile.reconcile(self._books, threshold_for))
