"""`autoresearch study try`: one edit by hand."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from autoresearch.errors import InputError
from autoresearch.revision import read_source
from autoresearch.study.attempt import NAME, attempt
from autoresearch.study.display import watch_for
from autoresearch.study.interrupts import Interrupts
from autoresearch.study.optimize import open_bench
from autoresearch.study.records import SCORED
from autoresearch.study.request import Request
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.outages import Patience
from autoresearch.study.storage.studies import open_study

from ..prepare import progress_on_stderr
from .editing import noise_flags
from .optimize import PRUNER
from .options import opened, storage_option, study_name_option

_LONGEST_TITLE = 120


@click.command(name="try")
@storage_option
@study_name_option
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-m", "--title", required=True, metavar="TEXT", help="What is different, in one line.")
@click.option("--hypothesis", default="", metavar="TEXT", help="Why it should lower val_bpb.")
@noise_flags
@click.option("--unsafe", is_flag=True, help="Run it without a sandbox: with all that you may do yourself.")
def try_(storage: str, study_name: str | None, file: Path, title: str, hypothesis: str, **given: Any) -> None:
    """Try FILE, a train.py that you or your agent changed: one trial, judged and recorded like any other.

    It is compared with the best so far, and kept if it is better by more than the noise. A text that cannot run in small, or
    was tried before, is refused first and costs no trial. Exit code 0 for a score, 1 for a trial that failed, 2 for a refusal.

    \b
    autoresearch study best --write new.py       # the code to build on
    autoresearch study try new.py -m "twice the heads"
    """
    title = _checked(title)
    text = read_source(file)
    request = Request(editor=NAME, **given)
    request.check_numbers()
    with watch_for(sys.stderr, None) as watch, Interrupts() as interrupts:
        database = opened(storage, create=False)
        ledger = Ledger(database, open_study(database, study_name), patience=Patience(say=watch.note))
        ledger.study.optuna.pruner = PRUNER
        try:
            with ExitStack() as preparing:
                bars = preparing.enter_context(progress_on_stderr())
                with open_bench(ledger, request, watch, bars) as bench:
                    preparing.close()  # one display at a time
                    trial = attempt(ledger, bench, request, text, title, hypothesis, interrupts, watch)
        except KeyboardInterrupt:
            sys.exit(interrupts.exit_code)
    score = "" if trial.val_bpb is None else f"\tval_bpb {trial.val_bpb:.6f}"
    click.echo(f"trial {trial.number}\t{trial.status}{score}\t{trial.reason}")
    sys.exit(0 if trial.status in SCORED else 1)


def _checked(title: str) -> str:
    if not title.strip() or not title.isprintable() or len(title) > _LONGEST_TITLE:
        raise InputError(f"-m is {title[:_LONGEST_TITLE]!r}: expected one line of at most {_LONGEST_TITLE} characters")
    return title.strip()
