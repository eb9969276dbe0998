"""`autoresearch study best`: the incumbent, and a `train.py` of it that runs by itself."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from autoresearch.errors import StudyError
from autoresearch.study.records import Incumbent
from autoresearch.study.report.figures import bpb, signed
from autoresearch.study.report.final import summary_of
from autoresearch.study.report.named import trial_named
from autoresearch.study.report.summary import Summary
from autoresearch.study.report.text import claim_lines, line
from autoresearch.study.report.values import values_lines
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage.ledger import Ledger

from ..files import write_new
from .options import confirm_command, format_option, open_ledger, print_record, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@click.option(
    "--write", type=click.Path(path_type=Path), metavar="FILE", help="Write its train.py, with its values as defaults."
)
@format_option
def best(storage: str, study_name: str | None, write: Path | None, form: str) -> None:
    """Show the incumbent; --write makes a complete train.py of it.

    \b
    autoresearch study best
    autoresearch study best --write best.py
    autoresearch train --source best.py
    """
    ledger = open_ledger(storage, study_name)
    summary = summary_of(ledger)
    incumbent = summary.incumbent
    if incumbent is None:
        raise StudyError(f"study {ledger.study.name!r} has no best trial yet: no baseline run has a score")
    if write is not None:
        _write(write, ledger, incumbent)
    record = {
        "trial": incumbent.number,
        "revision": incumbent.revision,
        "val_bpb": incumbent.val_bpb,
        "gain": summary.gain,
        "verdict": None if summary.confirmation is None else summary.confirmation.verdict,
        "values": dict(incumbent.values),
    }
    print_record(record, form, lambda: _lines(ledger, summary, incumbent, confirm_command(storage, ledger)))


def _lines(ledger: Ledger, summary: Summary, incumbent: Incumbent, confirm_with: str) -> list[str]:
    return [
        line("best", f"trial {incumbent.number}: {summary.steps[-1].title if summary.steps else 'the baseline'}"),
        line("revision", incumbent.revision[:8]),
        line("val_bpb", bpb(incumbent.val_bpb)),
        *([line("gain", f"{signed(summary.gain)} over the baseline on the same seed")] if summary.steps else []),
        *claim_lines(summary, confirm_with),
        "values",
        *values_lines(incumbent.values, trial_named(ledger, "baseline").values, "the baseline"),
    ]


def _write(path: Path, ledger: Ledger, incumbent: Incumbent) -> None:
    # Imported here because torch comes with it, which takes seconds.
    from autoresearch.revision import with_defaults

    write_new(path, with_defaults(ledger.revision(incumbent.revision).source, incumbent.values))
    settings = StudySettings.from_json(ledger.study.settings)
    budget = f"--budget {settings.seconds:g}" if settings.steps is None else f"--steps {settings.steps}"
    budget += "" if settings.compiled else " --no-compile"
    command = f"autoresearch train --source {shlex.quote(str(path))} {budget} --data {shlex.quote(settings.data)}"
    click.echo(f"written  {path}; run it with {command} --seed {settings.seed}", err=True)
