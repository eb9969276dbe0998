"""`autoresearch study trials`: one line a trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from autoresearch.study.records import SEARCH_KINDS, Kind, Status
from autoresearch.study.report.described import description
from autoresearch.study.report.figures import bpb, memory_gib_of, seconds_of, signed
from autoresearch.study.storage.ledger import Ledger

from .options import format_option, open_ledger, print_records, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@click.option(
    "--kind",
    type=click.Choice([str(kind) for kind in Kind]),
    multiple=True,
    help="Only trials of this kind; repeatable.",
)
@click.option(
    "--status",
    type=click.Choice([str(status) for status in Status]),
    multiple=True,
    help="Only with this status; repeatable.",
)
@format_option
def trials(storage: str, study_name: str | None, kind: tuple[str, ...], status: tuple[str, ...], form: str) -> None:
    """List the trials.

    The gain is over the baseline on the same seed, plus is better. A narrow terminal's table has fewer columns.

    \b
    autoresearch study trials --kind edit
    autoresearch study trials --status keep -f json
    """
    ledger = open_ledger(storage, study_name)
    rows = [
        row for row in records(ledger) if (not kind or row["kind"] in kind) and (not status or row["status"] in status)
    ]
    print_records(
        rows,
        form,
        formats={"val_bpb": bpb, "gain": signed, "seconds": "{:.0f}".format, "memory_gib": "{:.1f}".format},
        words=("title",),
        optional=("memory_gib", "parent", "seconds", "revision", "gain"),
    )
    if not rows:
        click.echo("no trials" if not (kind or status) else "no such trials", err=True)


def records(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """A row for each trial."""
    start = next((promotion.val_bpb for promotion in ledger.promotions() if promotion.version == 0), None)
    history = {trial.number: trial for trial in ledger.history()}
    for trial in history.values():
        gain = None
        # Repeats and confirmations have seeds of their own: against this one they would show the noise, not a gain.
        if trial.kind in SEARCH_KINDS and trial.val_bpb is not None and start is not None:
            gain = start - trial.val_bpb
        yield {
            "number": trial.number,
            "kind": trial.kind,
            "status": trial.status,
            "val_bpb": trial.val_bpb,
            "gain": gain,
            "revision": trial.revision[:8],
            "parent": trial.parent,
            "seconds": seconds_of(trial),
            "memory_gib": memory_gib_of(trial),
            "title": description(trial, history),
        }
