"""A unified diff in a terminal's colours."""

from __future__ import annotations

from collections.abc import Iterator

import click

from .figures import printable

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def coloured(diff: str) -> Iterator[str]:
    """Its lines; whoever prints them on anything but a terminal takes the colours off, as `click.echo` does."""
    for number, line in enumerate(printable(diff).removesuffix("\n").split("\n")):
        if number < 2:  # the two names
            yield click.style(line, bold=True)
        elif line[:1] in _COLOURS:
            yield click.style(line, fg=_COLOURS[line[:1]])
        else:
            yield line
