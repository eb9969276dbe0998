"""One edit by hand: a whole `train.py` that somebody has written becomes a trial of the study, like any other."""

from __future__ import annotations

from dataclasses import replace

from autoresearch.errors import InputError, RevisionError, StudyError, TrialError

from .briefing.program import read_program
from .desk import Desk
from .editors.blocks import EditError, between
from .edits import defaults_of, sha256_of
from .heartbeat import Heartbeat
from .interrupts import Interrupts
from .measure import Bench
from .planner import Planner
from .records import Edit, Incumbent, Kind, Revision, Status, TrialRecord
from .request import Request
from .schedule import Schedule
from .storage.ledger import Ledger
from .watch import Watch
from .worker import Worker

NAME = "try"  # begins the key of such an edit


def attempt(
    ledger: Ledger,
    bench: Bench,
    request: Request,
    text: str,
    title: str,
    hypothesis: str,
    interrupts: Interrupts,
    watch: Watch,
) -> TrialRecord:
    """Try a text on the incumbent's values, after the baseline if that has not been measured yet.

    Args:
        ledger: The study's.
        bench: This machine's side of it.
        request: How it is searched.
        text: A whole `train.py`.
        title: What is different, in one line.
        hypothesis: Why it should help.
        interrupts: Ctrl-C and SIGTERM.
        watch: Is told what happens.

    Raises:
        InputError, RevisionError: The text is not worth a budget; nothing is recorded.
        StudyError: Another worker has taken it.
        KeyboardInterrupt: Ctrl-C or SIGTERM; a trial in flight was dropped and recorded as interrupted.
    """
    run = ledger.start_run({"try": title}, None, None)
    plan = replace(request.plan(None), baseline_repeats=_repeats(ledger, request))
    desk = Desk(ledger, bench, plan, read_program(), None)
    planner = Planner(ledger, bench.settings, plan, bench.preflight.knobs, watch.note)
    schedule = Schedule(bench.settings, None, None, confirm=0, workers=1, clock=ledger.now)
    with Heartbeat(ledger, run, watch.note) as lease:
        lease.confirming()  # whoever ends a search beside this one shall not wait for it to confirm the result
        worker = Worker(ledger, bench, planner, run, lease, interrupts, watch)
        try:
            worker.reconcile()
            first = ledger.incumbent()
            _refuse(desk, ledger.revisions()[0] if first is None else ledger.revision(first.revision), first, text)
            incumbent = _after_baseline(planner, worker, schedule)
            base = ledger.revision(incumbent.revision)
            key = f"{NAME}:{sha256_of(text)[:16]}:v{incumbent.version}"  # what went stale for an older one does not stand in its way
            edit = Edit(key, title, hypothesis, between(base.source, text))
            trial = _run(ledger, planner, worker, schedule, edit, incumbent)
        finally:
            worker.close()
    ledger.end_run(run)
    return trial


def _repeats(ledger: Ledger, request: Request) -> int:
    """As many runs of the baseline as there are, where they say what the noise is: a trial by hand is one trial."""
    baselines = [trial for trial in ledger.history() if trial.kind is Kind.BASELINE]
    measured = sum(trial.status is Status.MEASURED for trial in baselines)
    return measured if measured >= (2 if request.min_delta is None else 1) else request.baseline_repeats


def _refuse(desk: Desk, base: Revision, incumbent: Incumbent | None, text: str) -> None:
    """Raise where the text is not worth a budget, before anything else gets one; whatever it is, the mistake is the user's."""
    try:
        desk.check(base, defaults_of(base) if incumbent is None else incumbent.values, text, own=f"{NAME}:")
    except TrialError as error:
        raise RevisionError(str(error), error.tail) from error
    except EditError as error:
        raise InputError(str(error)) from error


def _after_baseline(planner: Planner, worker: Worker, schedule: Schedule) -> Incumbent:
    while (incumbent := planner.incumbent_to_build_on()) is None:
        worker.claim_and_run(*planner.next(), schedule)
        worker.reconcile()
    return incumbent


def _run(
    ledger: Ledger, planner: Planner, worker: Worker, schedule: Schedule, edit: Edit, incumbent: Incumbent
) -> TrialRecord:
    same_text = f"{edit.key.rpartition(':')[0]}:"
    for identity, proposal in ledger.waiting():  # that somebody gave up before a promotion, say
        if proposal.key.startswith(same_text) and proposal.key != edit.key:
            ledger.mark_stale(identity)
    planner.add_edit(edit, incumbent)
    waiting = [
        (identity, proposal) for identity, proposal in ledger.ready(incumbent.version) if proposal.key == edit.key
    ]
    for identity, proposal in waiting:
        worker.claim_and_run(identity, proposal, schedule)
    ours = [trial for trial in ledger.history() if trial.key == edit.key]
    if not ours:
        raise StudyError("another worker has taken the edit, or promoted another one meanwhile: see `study trials`")
    return ours[-1]
