"""SEARCH/REPLACE blocks: the form in which an edit is proposed, recorded and carried from one `train.py` to another.

A block names its place by the text that stands there, not by line numbers, so it still applies after other edits.
That text must occur exactly once: a block that fits nowhere or in two places is refused, never guessed at.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from autoresearch.errors import AutoresearchError

from ..records import Block

_MERGED_GAP = 2  # changes with at most so many equal lines between them make one block: two would be harder to read
_SHOWN = 100  # characters of a line that an error message quotes
_COMPARED_LINES = 300  # of a text that is looked for: a reply may hold a hundred thousand, and to compare is quadratic
_COMPARED_CHARACTERS = 200  # of a line, likewise

Hunk = tuple[int, int, int, int]  # old lines [i1, i2) become new lines [j1, j2)


class EditError(AutoresearchError):
    """An edit does not apply to the text that it was made for."""


def apply(source: str, blocks: Sequence[Block]) -> str:
    """Replace each block's text in turn; all of them, or none and an error.

    Raises:
        EditError: A block's search text is not in the text as the blocks before it left it, or is there repeatedly.
    """
    text = source
    for number, block in enumerate(blocks, 1):
        times = len(occurrences(text, block.search))
        if times != 1:
            what = f"occurs {times} times" if times else f"is not there: {nearest(text, block.search)}"
            raise EditError(
                f"the search text of block {number} of {len(blocks)} ({quote(block.search)}) must occur exactly once, "
                f"but {what}"
            )
        text = text.replace(block.search, block.replace)
    return text


def between(old: str, new: str) -> tuple[Block, ...]:
    """The blocks of whole lines that turn one text into another, each with just enough context to be unique."""
    old_lines, new_lines = lines_of(old), lines_of(new)
    current = old_lines  # with the changes so far; the blocks apply in order
    shift = 0  # how much longer that has made it
    blocks = []
    for i1, i2, j1, j2 in _hunks(old_lines, new_lines):
        start, end = i1 + shift, i2 + shift
        replacement = new_lines[j1:j2]
        low, high = widened(current, start, end)
        search, after = current[low:high], current[low:start] + replacement + current[end:high]
        blocks.append(Block("".join(search), "".join(after)))
        current = current[:start] + replacement + current[end:]
        shift += (j2 - j1) - (i2 - i1)
    return tuple(blocks)


def is_plain(text: str) -> bool:
    """Whether files and databases can hold a text: it has no null character and no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def diff(old: str, new: str, old_name: str, new_name: str) -> str:
    """The unified diff of two texts, as `patch` reads it; empty when they are equal."""
    unified = difflib.unified_diff(lines_of(old), lines_of(new), old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in unified)


def lines_of(text: str) -> list[str]:
    """Lines with their ends; unlike `splitlines`, which also cuts at form feeds and the like, as Python counts them."""
    return re.findall(r".*\n|.+", text)


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[Hunk]:
    """The changed ranges of lines, neighbours merged."""
    pending: Hunk | None = None
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if pending is not None and i1 - pending[1] <= _MERGED_GAP:
            pending = (pending[0], i2, pending[2], j2)
            continue
        if pending is not None:
            yield pending
        pending = (i1, i2, j1, j2)
    if pending is not None:
        yield pending


def widened(lines: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """The range `[start, end)` widened by as few lines as make its text occur once."""
    text = "".join(lines)
    for radius in range(len(lines) + 1):
        for before, after in ((radius, radius - 1), (radius - 1, radius), (radius, radius)):
            low, high = max(0, start - max(0, before)), min(len(lines), end + max(0, after))
            search = "".join(lines[low:high])
            first = text.find(search)
            if text.find(search, first + 1) < 0:
                return low, high
    raise AssertionError("a whole text occurs once in itself")


def occurrences(text: str, search: str) -> list[int]:
    """Where one text occurs in another, overlapping or not."""
    found, at = [], text.find(search)
    while at >= 0:
        found.append(at)
        at = text.find(search, at + 1)
    return found


def nearest(text: str, search: str) -> str:
    """Where a text that does not occur comes closest to occurring, and the first line in which it differs."""
    lines, wanted = text.split("\n"), search.split("\n")
    start = closest_start(lines, wanted)
    if start is None:
        return "nothing there is like it"
    for number, want in enumerate(wanted, start):
        have = lines[number] if number < len(lines) else None
        if have != want:
            reads = "the text has ended" if have is None else f"line {number + 1} reads {quote(have)}"
            return f"the nearest is at line {start + 1}, where {reads} and the block has {quote(want)}"
    raise AssertionError("lines that are all equal would have been found")


def closest_start(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The line from which most of the wanted text stands there, up to indentation; None when not a line is similar."""
    here = [line.strip()[:_COMPARED_CHARACTERS] for line in lines]
    sought = [line.strip()[:_COMPARED_CHARACTERS] for line in wanted[:_COMPARED_LINES]]

    def shared(start: int) -> int:
        pairs = zip(here[start : start + len(sought)], sought, strict=False)
        return sum(len(want) for have, want in pairs if have == want)

    best = max(range(len(here)), key=shared)
    if shared(best):
        return best
    longest = max(sought, key=len)
    close = difflib.get_close_matches(longest, here, n=1)
    if not close:
        return None
    return max(0, here.index(close[0]) - sought.index(longest))


def quote(text: str) -> str:
    """A text on one line, in quotation marks; its first line where it has several, cut when that is long."""
    first, _, rest = text.strip("\n").partition("\n")
    more = " …" if rest.strip() or len(first) > _SHOWN else ""
    return f"{first[:_SHOWN]!r}{more}"
