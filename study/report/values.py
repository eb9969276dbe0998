"""A trial's knob values, those that differ from another trial's brought out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from autoresearch.knobs import KnobValue

from .figures import changed_values, knob


def values_lines(values: Mapping[str, KnobValue], before: Mapping[str, KnobValue] | None, whose: str) -> Iterator[str]:
    """One line a knob.

    Args:
        values: The values to show.
        before: What to compare them with.
        whose: Whose those are.
    """
    changed = {} if before is None else changed_values(before, values)
    names = [*values, *(name for name in changed if name not in values)]
    width = max(map(len, names), default=0)
    for name in names:
        text = f"  {name:<{width}}  {knob(values[name]) if name in values else 'gone'}"
        if name in changed:
            old = changed[name][0]
            origin = "new" if old is None else f"{whose} has {knob(old)}"
            text = click.style(f"{text:<{width + 18}}  {origin}", bold=True)
        yield text
