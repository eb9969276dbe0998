"""The flags of every command that tries edits: who makes them, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from autoresearch.study.editors.named import EXPECTED
from autoresearch.study.model.prices import DATE, DEFAULT_MODEL, EFFORTS, TABLE
from autoresearch.study.request import Request

Command = Callable[..., Any]

_FLAGS = (
    click.option(
        "--editor",
        metavar="WHO",
        help=f"Who edits: {EXPECTED}.  [default: anthropic where ANTHROPIC_API_KEY is set, else none]",
    ),
    click.option(
        "--program",
        metavar="FILE",
        help="Your instructions to the editor; `study status` knows them by their sha256.  [default: the package's program.md]",
    ),
    click.option(
        "--model",
        metavar="ID",
        help=f"Of --editor anthropic: {', '.join(TABLE)}, or another.  [default: {DEFAULT_MODEL}]",
    ),
    click.option(
        "--effort",
        type=click.Choice(EFFORTS),
        help="How hard the model thinks; not every model takes every one.  [default: the model's own]",
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
        "--record", metavar="FILE", help="Add what the model's server says to this file, for --editor cassette:FILE."
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


_NOISE_FLAGS = (
    click.option(
        "--baseline-repeats",
        type=int,
        default=Request.baseline_repeats,
        show_default=True,
        metavar="N",
        help="Seeds that measure the noise; `try` takes those that were run, if there are any.",
    ),
    click.option(
        "--min-delta",
        type=float,
        metavar="BPB",
        help="The gain that is kept.  [default: one standard deviation of the noise]",
    ),
)


def editor_flags(command: Command) -> Command:
    """Add those that say who edits."""
    return _with(_FLAGS, command)


def noise_flags(command: Command) -> Command:
    """Add those that say which gain is kept."""
    return _with(_NOISE_FLAGS, command)


def _with(flags: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for flag in reversed(flags):
        command = flag(command)
    return command
