"""`autoresearch study diff`: two trials' code, values included."""

from __future__ import annotations

import sys

import click

from autoresearch.revision import with_defaults
from autoresearch.study.editors import blocks
from autoresearch.study.records import TrialRecord
from autoresearch.study.report.coloured import coloured
from autoresearch.study.report.named import trial_or_revision_named
from autoresearch.study.storage.ledger import Ledger

from .options import open_ledger, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@click.argument("a")
@click.argument("b")
def diff(storage: str, study_name: str | None, a: str, b: str) -> None:
    """Compare the code of A and B, as a unified diff.

    Each is a trial's number, or best, or baseline; or the first four or more digits of a revision's hash. A trial's knob
    values are shown as the defaults of its code.

    \b
    autoresearch study diff baseline best
    autoresearch study diff 3 17 | patch train.py
    """
    ledger = open_ledger(storage, study_name)
    (name_a, text_a), (name_b, text_b) = _text(ledger, a), _text(ledger, b)
    changes = blocks.diff(text_a, text_b, name_a, name_b)
    if not changes:
        click.echo(f"{name_a} and {name_b} are the same", err=True)
        return
    if sys.stdout.isatty():
        click.echo("\n".join(coloured(changes)))
    else:  # `patch` wants it to the letter
        click.echo(changes, nl=False)


def _text(ledger: Ledger, name: str) -> tuple[str, str]:
    """What to call it, and the text."""
    found = trial_or_revision_named(ledger, name)
    if isinstance(found, TrialRecord):
        revision = ledger.revision(found.revision)
        return f"trial-{found.number}/train.py", with_defaults(revision.source, found.values)
    # Its own defaults, written in the same way as a trial's values: 2**15 and 32768 are no difference.
    defaults = {knob.name: knob.default for knob in found.knobs.values()}
    return f"{found.short}/train.py", with_defaults(found.source, defaults)
