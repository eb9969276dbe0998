"""The flags that say who edits, and how: the same for every command that asks an editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from autoresearch.study.editors.named import EXPECTED
from autoresearch.study.model.prices import DATE, DEFAULT_MODEL, TABLE
from autoresearch.study.request import Request

Command = Callable[..., Any]

_FLAGS = (
    click.option(
        "--editor",
        metavar="WHO",
        help=f"Who edits: {EXPECTED}.  [default: anthropic where ANTHROPIC_API_KEY is set, else none]",
    ),
    click.option(
        "--program", metavar="FILE", help="Your instructions to the editor.  [default: the package's program.md]"
    ),
    click.option(
        "--model",
        metavar="ID",
        help=f"Of --editor anthropic: {', '.join(TABLE)}, or another.  [default: {DEFAULT_MODEL}]",
    ),
    click.option(
        "--effort", metavar="LEVEL", help="How hard the model thinks: low, medium, high.  [default: the model's own]"
    ),
    click.option(
        "--max-cost",
        metavar="USD",
        help="What the model may cost this study in all; samples go on.  [default: no limit]",
    ),
    click.option(
        "--price",
        metavar="IN/OUT",
        help=f"Dollars a million tokens, of a model without a price in the table of {DATE}; 0/0 for one of your own.",
    ),
    click.option(
        "--record", metavar="FILE", help="Write down what the model's server says, for --editor cassette:FILE."
    ),
    click.option(
        "--command-seconds",
        type=float,
        default=Request.command_seconds,
        show_default=True,
        metavar="S",
        help="After which the command of --editor command:CMD is killed.",
    ),
)


def editor_flags(command: Command) -> Command:
    """Add them."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command
