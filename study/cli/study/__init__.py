"""`autoresearch study`: a night of trials in one database, and what it came to."""

from __future__ import annotations

import click

from autoresearch.study.cli import LazyGroup

COMMANDS = {
    "create": "Make a study and print its name.",
    "optimize": "Run trials until the time or the number of them is spent.",
    "try": "Try a train.py of your own: one trial, recorded like any other.",
    "status": "Say where the study stands.",
    "trials": "List the trials.",
    "best": "Show the incumbent; --write makes a complete train.py of it.",
    "show": "Show one trial: its code, values, figures, and why it ended as it did.",
    "diff": "Compare the code of two trials.",
    "export": "Write results.tsv, or the edits for another study to replay.",
    "delete": "Delete the study and all that belongs to it.",
}


@click.group(cls=LazyGroup, package=__name__, commands=COMMANDS)
def study() -> None:
    """Run a night of trials, and see what it came to.

    \b
    autoresearch study create --study-name night
    autoresearch study optimize --study-name night --hours 8
    autoresearch study best --study-name night --write best.py
    """
