"""A table for people: as wide as the terminal, numbers whole, words cut, the less important columns left out first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import click
from rich.cells import cell_len, set_cell_size

_GAP = "  "
_LEAST_WORDS = 24  # cells that a column of words is not cut below while another column can be left out


def table(
    records: Sequence[Mapping[str, str]],
    width: int | None = None,
    *,
    left: Collection[str] = (),
    words: Collection[str] = (),
    optional: Sequence[str] = (),
) -> list[str]:
    """Lay out records that share their columns, a header first.

    Args:
        records: The cells, column by column.
        width: Cells that a line may take; None for as many as it needs.
        left: The columns that are aligned to the left.
        words: The columns that may be cut.
        optional: The columns that may be left out, the first one first.
    """
    natural = {name: max(cell_len(name), *(cell_len(record[name]) for record in records)) for name in records[0]}
    widths = natural if width is None else _fitted(natural, width, words, optional)
    header, *rows = (_row(record, widths, left) for record in ({name: name for name in widths}, *records))
    return [click.style(header, bold=True), *rows]


def _fitted(natural: Mapping[str, int], width: int, words: Collection[str], optional: Sequence[str]) -> dict[str, int]:
    """The columns that stay, each with its width."""
    widths = dict(natural)
    for name in optional:
        if _room_for_words(widths, width, words) >= sum(
            min(natural[name], _LEAST_WORDS) for name in widths if name in words
        ):
            break
        del widths[name]
    cut = [name for name in widths if name in words]
    room = _room_for_words(widths, width, words)
    for left_over, name in zip(range(len(cut), 0, -1), cut, strict=True):
        widths[name] = max(1, min(widths[name], room // left_over))
        room -= widths[name]
    return widths


def _room_for_words(widths: Mapping[str, int], width: int, words: Collection[str]) -> int:
    gaps = len(_GAP) * (len(widths) - 1)
    return width - gaps - sum(cells for name, cells in widths.items() if name not in words)


def _row(record: Mapping[str, str], widths: Mapping[str, int], left: Collection[str]) -> str:
    cells = []
    for name, width in widths.items():
        text = record[name]
        if cell_len(text) > width:
            text = set_cell_size(text, width - 1).rstrip() + "…"
        padding = " " * (width - cell_len(text))
        cells.append(text + padding if name in left else padding + text)
    return _GAP.join(cells).rstrip()
