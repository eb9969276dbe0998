"""One worker of an `optimize`: signs on, searches, confirms, signs off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial

import torch

from autoresearch.data.home import home
from autoresearch.data.progress import Progress
from autoresearch.device import Device, detect
from autoresearch.errors import SandboxError
from autoresearch.isolation.environment import clean_environment
from autoresearch.isolation.kernels import Kernels
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.sandbox.choose import remembered
from autoresearch.sandbox.sandbox import Sandbox

from .admission import check_platform, check_threads, dataset_of
from .briefing.program import read_program
from .confirmation import confirm
from .desk import Desk
from .editors.named import opened
from .folders import Folders
from .heartbeat import Heartbeat
from .interrupts import Interrupts
from .measure import Bench
from .planner import Planner, plain_context
from .preflight import Preflight
from .request import Request
from .schedule import Schedule
from .settings import StudySettings
from .storage.ledger import Ledger
from .watch import Watch
from .worker import Worker


@contextmanager
def open_bench(
    ledger: Ledger,
    request: Request,
    watch: Watch,
    report: Progress | None = None,
    make_supervisor: Callable[..., Supervisor] = Supervisor,
) -> Iterator[Bench]:
    """This machine's side of a study, once the machine has been found fit for it.

    Args:
        ledger: The study's.
        request: What the user asked for.
        watch: Is told of warnings.
        report: Is told how far the preparation of data is.
        make_supervisor: Takes the arguments of `Supervisor`.

    Raises:
        StudyError: Another device, precision or number of threads than the study's.
        DataError: The study's data are not here.
        SandboxError: No sandbox holds here, and there are to be edits.
    """
    settings = StudySettings.from_json(ledger.study.settings)
    device = detect(request.device or settings.device)
    warning = check_platform(settings, device, torch.__version__)
    if warning:
        watch.note(warning)
    check_threads(settings, device, ledger.history())
    folders = Folders.of(ledger.study.name, ledger.study.id)
    sandbox = _sandbox(request, device, folders, watch)
    make_supervisor = partial(make_supervisor, sandbox=sandbox, kernels=Kernels(folders.kernels))
    with ExitStack() as open_until_then:
        compiles = settings.compiled
        # It warms up while the data are looked for.
        supervisor = open_until_then.enter_context(
            make_supervisor(folders.cache, rehearse=compiles and device.kind == "cpu", compiles=compiles)
        )
        # Of its own, since the first one has a trial to look after; and only if there are edits.
        checker = cache(
            lambda: open_until_then.enter_context(
                make_supervisor(folders.cache, rehearse=False, compiles=False, background=True)
            )
        )
        if request.asked.is_slow:
            checker()  # here, since a sandbox dies with the thread that has started it, and drafts have threads of their own
        dataset = dataset_of(settings, report)
        preflight = Preflight(checker, dataset, settings, folders.root)
        yield Bench(settings, dataset, device, supervisor, folders, preflight)


def _sandbox(request: Request, device: Device, folders: Folders, watch: Watch) -> Sandbox | None:
    """The best that holds here. Without one, code that somebody has read may run: samples, that is, and no edits.

    Raises:
        SandboxError: There are to be edits, and none holds.
    """
    if request.unsafe:
        watch.note("--unsafe: edits may read this user's files, use the network and start what they like")
        return None
    studies = folders.root.parent
    try:
        rung = remembered(studies, device.kind, clean_environment)
    except SandboxError as error:
        if request.editor != "none":
            raise
        watch.note(f"{error}; there are none, so the study goes on")
        return None
    return Sandbox.for_study(rung, folders.root, devices=device.kind == "cuda", hidden=[home()])


def work(ledger: Ledger, bench: Bench, request: Request, run: str, interrupts: Interrupts, watch: Watch) -> None:
    """Be one worker of a run, from signing on to signing off.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the trial in flight was dropped and recorded as interrupted.
        TrialError: The baseline failed: there is nothing to build on.
        AutoresearchError: The database or the disk cannot be used.
    """
    deadline = ledger.run(run).deadline
    schedule = Schedule(bench.settings, deadline, request.trials, request.confirm, request.workers, clock=ledger.now)
    program = read_program(request.asked.program)
    with (
        Heartbeat(ledger, run, watch.note) as lease,
        opened(request.asked, program, ledger.requests, lambda: lease.worker, watch.note) as editing,
    ):
        plan = request.plan(editing.editor)
        desk = Desk(ledger, bench, plan, program, editing.model)
        context_of = plain_context if request.asked.name == "replay" else desk.context
        planner = Planner(ledger, bench.settings, plan, bench.preflight.knobs, watch.note, context_of, desk.check)
        worker = Worker(ledger, bench, planner, run, lease, interrupts, watch)
        try:
            watch.note(worker.search(schedule))
            lease.confirming()
            confirm(ledger, bench.settings, worker, schedule, run, watch)
        finally:
            worker.close()
