"""One worker: claims a proposal, runs it, judges it, promotes it or not, until the time is up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from autoresearch.errors import (
    Cheat,
    Diverged,
    KnobError,
    OutOfMemory,
    OverBudget,
    RevisionError,
    Stopped,
    TrialError,
)
from autoresearch.progress import Progress

from .artifacts import keep_files
from .folders import check_disk
from .heartbeat import Heartbeat
from .interrupts import Interrupts
from .measure import Bench, Circumstances, Measured, measure, settings_of
from .notes import write_note
from .planner import Planner
from .records import Kind, Proposal, Status, TrialRecord
from .schedule import Schedule
from .storage.claims import Refusal
from .storage.ledger import Ledger
from .watch import Standing, Watch

# A sample is compared with its like at these percents of the budget; every trial reports at each tenth.
_PRUNE_AT = (50, 70)


class Worker:
    """Runs trials of one study, one at a time.

    Args:
        ledger: The study's database.
        bench: This machine's side of it.
        planner: Decides what is tried.
        run: The `optimize` command that this worker belongs to.
        lease: Says who this worker is.
        interrupts: Ctrl-C and SIGTERM.
        watch: Is told what happens.
    """

    def __init__(
        self,
        ledger: Ledger,
        bench: Bench,
        planner: Planner,
        run: str,
        lease: Heartbeat,
        interrupts: Interrupts,
        watch: Watch,
    ) -> None:
        self._ledger, self._bench, self._planner = ledger, bench, planner
        self._run, self._lease = run, lease
        self._interrupts, self._watch = interrupts, watch
        self._ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-proposal")
        self._prefetched: list[Future[None]] = []
        self._last_report: tuple[int, float] | None = None

    def search(self, schedule: Schedule) -> str:
        """Run trials until the time or the number of them is spent; returns the reason for stopping in words."""
        while True:
            self._collect()
            self.reconcile()
            if schedule.spent(self._ledger.run(self._run).trials_started):
                return "the number of trials is reached"
            if not schedule.time_for_another(self._ledger.history(), self._ledger.incumbent()):
                return "the time is up"
            identity, proposal = self._planner.next()
            if not schedule.time_for_another(self._ledger.history(), self._ledger.incumbent()):
                return "the time is up"  # making the proposal took what was left; it waits in the database
            if not self.claim_and_run(identity, proposal, schedule):
                return "the number of trials is reached"

    def claim_and_run(self, identity: int, proposal: Proposal, schedule: Schedule) -> bool:
        """Take a proposal, unless another worker was faster, and run it; False when the run may start no more."""
        claimed = self._ledger.claim(identity, self._run, self._lease.worker)
        if isinstance(claimed, TrialRecord):
            self._take_to_its_end(claimed, proposal, schedule)
        elif claimed is Refusal.LEASE:
            self._lease.sign_on_again()
        return claimed is not Refusal.QUOTA

    def reconcile(self) -> None:
        """Settle what dead workers left behind; the place where a signal that came between two trials acts."""
        if self._interrupts.received:
            raise KeyboardInterrupt
        for line in self._ledger.reconcile(self._planner.threshold):
            self._watch.note(line)

    def _take_to_its_end(self, trial: TrialRecord, proposal: Proposal, schedule: Schedule) -> None:
        self._last_report = None
        if proposal.edit is not None:
            write_note(self._ledger, trial, proposal.edit)
        if proposal.error:
            # Behind its line an editor puts what a command or a text printed.
            reason, _, tail = proposal.error.partition("\n")
            self._fail(trial, Status.CRASH, reason, tail=tail)
        else:
            self._ledger.start(trial.number, self._lease.worker)
            self._watch.started(trial)
            try:
                measured = self._measure(trial, schedule)
            except (TrialError, RevisionError, KnobError) as error:
                self._record_failure(trial, error)
            except BaseException as error:  # not the revision's fault: the trial is given back, and the error goes on
                reason = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
                self._fail(trial, Status.INTERRUPTED, reason)
                raise
            else:
                self._record_score(trial, measured)
        ended = self._ledger.trial(trial.number)
        if proposal.edit is not None:
            write_note(self._ledger, ended, proposal.edit)
        self._watch.ended(ended, self._standing(schedule))

    def close(self) -> None:
        """Wait for the proposal that is being made, so that it is not lost."""
        try:
            self._collect()
        finally:
            self._ahead.shutdown()
            self._planner.close()

    def _measure(self, trial: TrialRecord, schedule: Schedule) -> Measured:
        folder = self._bench.folders.trial(trial.number)

        def time_for_another(fraction: float = 1.0) -> bool:
            return schedule.time_for_another(self._ledger.history(), self._ledger.incumbent(), fraction)

        def more_to_come(fraction: float) -> bool:
            return not schedule.spent(self._ledger.run(self._run).trials_started) and time_for_another(fraction)

        how = Circumstances(
            threshold=self._planner.threshold(trial),
            max_gain=self._planner.max_gain,
            watch=self._watcher(trial, more_to_come),
            watch_again=partial(self._watch.progress, trial),
            note=self._watch.note,
            time_for_another=time_for_another,
            interruptible=self._interrupts.allowed,
        )
        try:
            return measure(self._ledger, self._bench, trial, how)
        except (OSError, TrialError):
            check_disk(folder)  # a full disk is nobody's edit's fault
            raise

    def _watcher(self, trial: TrialRecord, more_to_come: Callable[[float], bool]) -> Callable[[Progress], None]:
        reported = 0

        def watch(progress: Progress) -> None:
            nonlocal reported
            self._watch.progress(trial, progress)
            if progress.tenths > reported:
                reported = progress.tenths
                with self._interrupts.held():
                    self._report(trial, 10 * reported, progress.loss)
            marks = self._planner.prefetch_at if trial.kind is not Kind.CONFIRM else ()
            due = sum(progress.fraction >= mark for mark in marks)
            if due > len(self._prefetched) and (more_to_come(progress.fraction) or not self._planner.pays_ahead):
                self._prefetched.append(self._ahead.submit(self._planner.prefetch, last_call=due == len(marks)))

        return watch

    def _report(self, trial: TrialRecord, percent: int, loss: float) -> None:
        """Put the training loss, in bits per byte, on the fixed grid; stop a sample that is worse than its like."""
        value = loss / math.log(2) / self._bench.dataset.bytes_per_token
        self._last_report = (percent, value)
        self._ledger.report(trial.number, percent, value)
        if trial.kind is Kind.SAMPLE and percent in _PRUNE_AT and self._ledger.should_prune(trial.number):
            raise Stopped(
                f"pruned at {percent} % of the budget: {value:.4f} bits a byte in training is worse than its like"
            )

    def _collect(self) -> None:
        """Let the proposal that was made during a trial arrive; its errors are errors of the worker."""
        prefetched, self._prefetched = self._prefetched, []
        for future in prefetched:
            future.result()
        self._planner.collect()

    def _record_score(self, trial: TrialRecord, measured: Measured) -> None:
        ledger, result, figures = self._ledger, measured.result, measured.figures(self._bench.device)
        if ledger.judge(trial.number, self._lease.worker, result.val_bpb, result.test_bpb, figures):
            self._keep_files(trial)
            ledger.settle(trial.number, self._planner.threshold(trial))
        else:
            self._watch.note(f"trial {trial.number} took longer than its lease and was given up by another worker")

    def _record_failure(self, trial: TrialRecord, error: Exception) -> None:
        status = Status.CRASH
        excess = None
        match error:
            case OutOfMemory():
                status, excess = Status.OOM, 1.0  # GiB; how far over is not known
            case OverBudget():
                status = Status.OVER_BUDGET
            case Cheat():
                status = Status.CHEAT
            case Stopped():
                status = Status.PRUNED
            case Diverged() if trial.kind is Kind.SAMPLE:
                status = Status.PRUNED
        try:
            self._keep_files(trial)
        finally:  # a full disk is one thing, what became of the trial another
            self._fail(trial, status, str(error), tail=getattr(error, "tail", ""), excess=excess)

    def _keep_files(self, trial: TrialRecord) -> None:
        settings = settings_of(
            self._ledger, self._bench, trial
        )  # writes the text again: the trial may have written over it
        keep_files(self._ledger, trial, settings.source.parent)

    def _fail(
        self, trial: TrialRecord, status: Status, reason: str, tail: str = "", excess: float | None = None
    ) -> None:
        figures: Mapping[str, Any] = {} if self._last_report is None else {"last_report": list(self._last_report)}
        # What a sampler should learn from is told as pruned: it ignores what failed.
        pruned = status is Status.PRUNED or (status is Status.OOM and trial.kind is Kind.SAMPLE)
        self._ledger.fail(
            trial.number,
            self._lease.worker,
            status,
            reason,
            tail,
            pruned=pruned,
            vram_excess_gib=excess,
            result=figures,
        )

    def _standing(self, schedule: Schedule) -> Standing:
        ledger = self._ledger
        standing = schedule.standing(ledger.history(), ledger.incumbent(), ledger.run(self._run).trials_started)
        return replace(standing, spent_usd=ledger.requests.settled() or None, limit_usd=self._planner.max_cost)
