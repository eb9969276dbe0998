"""The table fits its terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from autoresearch.study.report.table import table

ROWS = [
    {"number": "1", "kind": "sample", "memory": "1.2", "title": "a title that is rather long for a narrow terminal"},
    {"number": "10", "kind": "edit", "memory": "11.2", "title": "short"},
]


def lines(width: int | None, rows: Sequence[Mapping[str, str]] = ROWS) -> list[str]:
    made = table(rows, width, left=("kind", "title"), words=("title",), optional=("memory",))
    return [click.unstyle(line) for line in made]


def test_without_a_width_nothing_is_cut() -> None:
    assert lines(None) == [
        "number  kind    memory  title",
        "     1  sample     1.2  a title that is rather long for a narrow terminal",
        "    10  edit      11.2  short",
    ]


def test_words_are_cut_first() -> None:
    assert lines(50) == [
        "number  kind    memory  title",
        "     1  sample     1.2  a title that is rather lo…",
        "    10  edit      11.2  short",
    ]


def test_then_columns_are_left_out() -> None:
    assert lines(41) == [
        "number  kind    title",
        "     1  sample  a title that is rather l…",
        "    10  edit    short",
    ]


def test_numbers_are_never_cut() -> None:
    assert lines(10)[2].split() == ["10", "edit", "…"]


def test_wide_letters_are_counted_as_the_terminal_does() -> None:
    rows = [{"number": "1", "kind": "edit", "memory": "", "title": "半分のバッチ" * 5}]
    assert lines(44, rows)[1] == "     1  edit  半分のバッチ半分のバッチ半分…"
