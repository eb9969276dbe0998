"""`autoresearch study export`: results for other programs, edits for other studies."""

from __future__ import annotations

from pathlib import Path

import click

from autoresearch.errors import InputError, StudyError
from autoresearch.study.report.edits import edit_records
from autoresearch.study.report.results import results_tsv

from ..files import write_new
from .options import open_ledger, storage_option, study_name_option

_STDOUT = Path("-")


@click.command()
@storage_option
@study_name_option
@click.option("--tsv", is_flag=False, flag_value="-", metavar="[FILE]", help="A line an experiment, for plots.")
@click.option(
    "--edits", is_flag=False, flag_value="-", metavar="[FILE]", help="A JSON line an edit, for --editor replay."
)
@click.option("--kept", is_flag=True, help="Of the edits only those that were promoted.")
def export(storage: str, study_name: str | None, tsv: str | None, edits: str | None, kept: bool) -> None:
    """Write results.tsv, or the edits for another study to replay; on stdout where no FILE is given.

    --tsv writes the columns of karpathy/autoresearch: commit (seven digits of the revision's hash), val_bpb, memory_gb
    (GiB, as there), status (keep, discard or crash) and description. An experiment has one line: repeats of the baseline,
    confirmations and interrupted trials are left out. A crash (out of memory, over the budget, or caught cheating count
    as one) has zeros; a sample that was stopped early is a discard with nan for its val_bpb.

    --edits writes the edits that came to a score, in the order in which they were tried, with their status and val_bpb.
    Another study, on another machine or a smaller GPU, tries them again with --editor replay:FILE.

    \b
    autoresearch study export --tsv results.tsv
    autoresearch study export --edits night.jsonl --kept
    autoresearch study optimize --study-name again --editor replay:night.jsonl
    """
    if (tsv is None) == (edits is None):
        raise InputError("expected exactly one of --tsv and --edits: what to write")
    if kept and edits is None:
        raise InputError("--kept goes with --edits: results.tsv has its status column")
    ledger = open_ledger(storage, study_name)
    history = ledger.history()
    if tsv is not None:
        text = results_tsv(history)
    else:
        revisions = {revision.sha256: revision for revision in ledger.revisions()}
        text = edit_records(history, revisions, kept_only=kept)
    if not text:
        raise StudyError(
            f"study {ledger.study.name!r} has no edit that {'was promoted' if kept else 'came to a score'}"
        )
    path = Path(str(tsv or edits))
    if path == _STDOUT:
        click.echo(text, nl=False)
    else:
        write_new(path, text)
        click.echo(f"written  {path}", err=True)
