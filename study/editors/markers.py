"""Finds SEARCH/REPLACE blocks among the lines of a reply, all of them, or says what keeps one from being read.

Each line that looks like an opening or a closing marker must be one: in no valid Python does a line begin so, except
inside a text, and then it is better to ask than to swallow the rest of a block. Dividers are another matter, for
headings in docstrings are underlined with them: the one counts that looks like its block's opening marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..records import Block
from .blocks import is_plain, quote

_MARKER = re.compile(r"(?P<indent>\s*)(?P<sign><{5,9}(?![<=])|>{5,9}(?![>=]))(?P<rest>.*)", re.DOTALL)
_DIVIDER = re.compile(r"(?P<indent>\s*)(?P<sign>={5,9})\s*")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*[\w+.-]*\s*")
# What may follow a marker on its line: its word, the file, a number. Anything else might be code, which must not be lost.
_LABEL = re.compile(
    r"[\s:`*/]*+((SEARCH|REPLACE|ORIGINAL|UPDATED|BEFORE|AFTER|OLD|NEW|HEAD|END|BLOCK)\b[\s:`*/]*+)*+"
    r"(\S*\.py\b)?[\s:`*,#(\[]*+(lines?|block|edit)?[\s\d#:,\u2013-]*+[\s)\]`*<>]*+",
    re.IGNORECASE,
)
_LONGEST_LABEL = 100  # characters


@dataclass(frozen=True)
class Found:
    """The blocks of a reply, and what is left of it."""

    blocks: tuple[Block, ...]
    outside: tuple[str | None, ...]  # the lines of the reply; None for those of blocks and for markers
    problems: tuple[str, ...]
    any_marker: bool


def find_blocks(lines: Sequence[str]) -> Found:
    """All blocks of a reply in their order; none of those with problems, which are told."""
    blocks: list[Block] = []
    problems: list[str] = []
    markers = [at for at, line in enumerate(lines) if _MARKER.match(line)]
    marked = set(markers)
    outside = [None if at in marked else line for at, line in enumerate(lines)]
    for number, (start, end) in enumerate(_pairs(markers, lines, problems), 1):
        outside[start : end + 1] = [None] * (end + 1 - start)
        try:
            blocks.append(_block(lines[start : end + 1]))
        except ValueError as error:
            name = quote("\n".join(lines[start + 1 : end]))
            problems.append(f"block {number} ({name}) {error}")
    return Found(tuple(blocks), tuple(outside), tuple(problems), bool(markers))


def _pairs(markers: Sequence[int], lines: Sequence[str], problems: list[str]) -> Iterator[tuple[int, int]]:
    """Opening markers with the closing ones that follow them at once; the others are problems."""
    opened: int | None = None
    for at in markers:
        if lines[at].lstrip().startswith("<"):
            if opened is not None:
                problems.append(_unclosed(lines, opened, at))
            opened = at
        elif opened is None:
            problems.append(f"line {at + 1} of the reply, {quote(lines[at])}, closes a block that was never opened")
        else:
            yield opened, at
            opened = None
    if opened is not None:
        problems.append(_unclosed(lines, opened, len(lines)))


def _unclosed(lines: Sequence[str], opened: int, end: int) -> str:
    where = "before the next one opens" if end < len(lines) else "before the reply ends"
    name = quote("\n".join(lines[opened + 1 : end]))
    return f"the block opened at line {opened + 1} of the reply ({name}) is not closed by '>>>>>>> REPLACE' {where}"


def _block(lines: Sequence[str]) -> Block:
    """The block from one marker to the other. The `ValueError` says what is wrong with it."""
    opening, closing = _MARKER.fullmatch(lines[0]), _MARKER.fullmatch(lines[-1])
    assert opening is not None
    assert closing is not None
    for marker in (opening, closing):
        if len(marker["rest"]) > _LONGEST_LABEL or not _LABEL.fullmatch(marker["rest"]):
            raise ValueError(
                f"has text on the line of a marker ({quote(marker['rest'].strip())}); move it to its own line"
            )
    divider = _divider(lines, opening)
    search, replace = _text(lines[1:divider]), _text(lines[divider + 1 : -1])
    if not search.strip():
        raise ValueError(
            "has an empty SEARCH; to insert lines, search for a neighbouring line and repeat it in REPLACE"
        )
    if not is_plain(search + replace):
        raise ValueError("holds a null character or half a surrogate pair; expected plain text")
    return Block(search, replace)


def _divider(lines: Sequence[str], opening: re.Match[str]) -> int:
    """The line between the two halves."""
    found = {at: divider for at, line in enumerate(lines) if (divider := _DIVIDER.fullmatch(line))}
    looks = opening["indent"], len(opening["sign"])
    alike = [at for at, divider in found.items() if (divider["indent"], len(divider["sign"])) == looks]
    chosen = alike or list(found)
    if not chosen:
        raise ValueError("has no line '=======' between SEARCH and REPLACE; add it")
    if len(chosen) > 1:
        raise ValueError(
            f"has {len(chosen)} lines {quote(lines[chosen[0]].strip())}, of which one must be the divider; close each "
            "block before the next, and if the code itself holds such a line, write all three markers of the block "
            "with eight characters"
        )
    return chosen[0]


def _text(lines: Sequence[str]) -> str:
    """Half a block: whole lines, without a fence around all of them."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if len(filled) > 1 and _FENCE.fullmatch(lines[filled[0]]):
        fence = lines[filled[0]].strip()[:3]
        if not lines[filled[-1]].strip().strip(fence[0]) and lines[filled[-1]].strip().startswith(fence):
            lines = lines[filled[0] + 1 : filled[-1]]
    return "".join(f"{line}\n" for line in lines)
