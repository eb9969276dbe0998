"""`autoresearch study optimize`: the night itself."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, fields
from typing import Any, get_args

import click
import optuna

from autoresearch.device import detect
from autoresearch.errors import StudyError
from autoresearch.study.display import watch_for
from autoresearch.study.editors.named import default_editor
from autoresearch.study.interrupts import Interrupts
from autoresearch.study.optimize import open_bench, work
from autoresearch.study.report.final import final_lines
from autoresearch.study.request import Request
from autoresearch.study.search.propose import SamplerName
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.outages import Patience
from autoresearch.study.storage.studies import create_study, open_study, study_names
from autoresearch.study.watch import Watch

from ..prepare import progress_on_stderr
from .binding import Flags, bind, binding_flags, check_agreement
from .editing import editor_flags, noise_flags
from .options import confirm_command, dashboard_command, opened, storage_option, study_name_option
from .workers import check_workers, end_with_parent, run_workers

# A sample stops where three quarters of those before it, at the same point of the budget, were better. The first ones
# are left alone: a percentile of a few says little.
PRUNER = optuna.pruners.PercentilePruner(75.0, n_startup_trials=8, n_warmup_steps=50)


@click.command()
@storage_option
@study_name_option
@click.option("--hours", type=float, metavar="H", help="Start no trial that cannot finish in this time.")
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Start N trials in this call; those that confirm the result are not counted.",
)
@click.option(
    "--workers", type=int, default=Request.workers, show_default=True, metavar="N", help="Processes, one for each GPU."
)
@click.option(
    "--sampler",
    type=click.Choice(get_args(SamplerName)),
    default=Request.sampler,
    show_default=True,
    help="Who draws the knob values.",
)
@click.option(
    "--policy",
    type=click.Choice(["stagnation", "ratio"]),
    help="When to edit: when samples stagnate, or a fixed share.  [default: stagnation]",
)
@click.option(
    "--edit-ratio", type=float, metavar="SHARE", help="The share of edits; implies --policy ratio.  [default: 0.5]"
)
@editor_flags
@noise_flags
@click.option(
    "--max-gain",
    type=float,
    metavar="BPB",
    help="A larger gain must be reached twice.  [default: six standard deviations of the noise]",
)
@click.option(
    "--confirm",
    type=int,
    default=Request.confirm,
    show_default=True,
    metavar="N",
    help="Fresh seeds that confirm the result.",
)
@click.option("--unsafe", is_flag=True, help="Run edits without a sandbox: with all that you may do yourself.")
@binding_flags
@click.option("--join", metavar="RUN", hidden=True, help="The run that this process is a worker of.")
@click.option("--worker", type=int, hidden=True, help="Which of its workers.")
def optimize(storage: str, study_name: str | None, join: str | None, worker: int | None, **given: Any) -> None:
    """Run trials until the time or their number is spent; Ctrl-C ends it, the same command goes on.

    The first trials measure the baseline and its noise. Then knob values are sampled and edits of train.py tried, and what
    improves val_bpb by more than the noise is built on. Trials run in a sandbox (see autoresearch doctor). At the end the
    best and the baseline are run again on fresh seeds, and scored once on the locked test split. Without --hours and
    --trials it goes on until Ctrl-C.

    \b
    autoresearch study optimize --hours 8 --max-cost 20
    autoresearch study optimize --hours 8 --editor command:'claude -p "Read context.md and do what it says" --permission-mode acceptEdits'
    autoresearch study optimize --trials 12 --budget 20 --editor replay:examples/edits.jsonl
    """
    flags = Flags(**{field.name: given.pop(field.name) for field in fields(Flags)})
    prefix = f"worker {worker}: " if join else "" if given["workers"] > 1 else None
    with watch_for(sys.stderr, prefix) as watch, Interrupts() as interrupts:
        patience = Patience(say=watch.note)
        if join is not None:
            end_with_parent()
            database = opened(storage, create=False)
            ledger = Ledger(database, open_study(database, study_name), patience=patience)
            sys.exit(_work(ledger, Request(**ledger.run(join).options), join, interrupts, watch))
        is_default = not given["editor"]
        given["editor"] = given["editor"] or default_editor(os.environ)
        request = Request(**given, device=flags.device)
        request.check()
        ledger = _ledger(storage, study_name, flags, patience)
        device = detect(request.device or StudySettings.from_json(ledger.study.settings).device)
        check_workers(request.workers, device)
        watch.note(f"to watch: {dashboard_command(storage)}")
        if is_default and request.editor == "none":
            watch.note("no ANTHROPIC_API_KEY in the environment, so no edits: samples alone; --editor names other ways")
        deadline = None if request.hours is None else ledger.now() + 3600 * request.hours
        run = ledger.start_run(asdict(request), deadline, request.trials)
        if request.workers > 1:
            arguments = ["study", "optimize", "--study-name", ledger.study.name, "--join", run]
            code = run_workers(request.workers, device, arguments, os.environ | {"OPTUNA_STORAGE": storage}, interrupts)
        else:
            code = _work(ledger, request, run, interrupts, watch)
        ledger.end_run(run)
    click.echo("\n".join(final_lines(ledger, confirm_command(storage, ledger))))
    if interrupts.received:
        click.echo("interrupted; the same command goes on where this ended", err=True)
    sys.exit(code)


def _work(ledger: Ledger, request: Request, run: str, interrupts: Interrupts, watch: Watch) -> int:
    """Be one worker; the exit code."""
    ledger.study.optuna.pruner = PRUNER
    try:
        with ExitStack() as preparing:
            bars = preparing.enter_context(progress_on_stderr())
            with open_bench(ledger, request, watch, bars) as bench:
                preparing.close()  # one display at a time
                work(ledger, bench, request, run, interrupts, watch)
    except KeyboardInterrupt:
        return interrupts.exit_code
    return 0


def _ledger(storage: str, study_name: str | None, flags: Flags, patience: Patience) -> Ledger:
    """The study that was named, or the only one; made if there is none."""
    database = opened(storage, create=True)
    names = study_names(database)
    if study_name in names or (study_name is None and names):
        study = open_study(database, study_name)
        ledger = Ledger(database, study, patience=patience)
        check_agreement(flags, StudySettings.from_json(study.settings), ledger.revisions()[0].sha256)
        return ledger
    settings, revision = bind(flags)
    try:
        study = create_study(database, study_name, settings.as_json(), revision)
    except StudyError:
        if study_name not in study_names(database):
            raise
        study = open_study(database, study_name)  # another worker was faster: binding takes seconds
        check_agreement(flags, StudySettings.from_json(study.settings), revision.sha256)
    return Ledger(database, study, patience=patience)
