"""Finds the place that each block of a reply means, and writes the block so that it applies exactly, then and later.

A model copies lines from memory: ends of lines and empty lines go missing, and whole passages slide to the left. That
much is forgiven, in this order and no further; whatever then fits nowhere, or in two places, goes back to the model.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..records import Block
from .blocks import EditError, apply, closest_start, diff, lines_of, nearest, occurrences, quote, widened

_TOLD = 5  # blocks that one error tells of; the others are counted
_DIFF_LINES = 30  # of the diff for one block
_DIFF_WIDTH = 160  # characters of each of those lines
_PLACES = 5  # that an error lists
_TAB = 4  # columns
_INVISIBLE = "\u200b\ufeff"  # a space of no width, a byte order mark
_ELISION = re.compile(r"(#|//)?\s*(\.\.\.|…)")  # at the start of a line: "the rest as before"


def exact(source: str, blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The same replacements as blocks that `apply` takes: each search text occurs once in what those before it left.

    Raises:
        EditError: Blocks fit nowhere or in several places. The message is one line about all of them; its `tail` has a
            diff for each that shows the nearest place.
    """
    text = source
    fitted: list[Block] = []
    failed: list[Block] = []
    problems: list[EditError] = []
    for number, block in enumerate(blocks, 1):
        try:
            fitted.append(_fitted(text, block, source))
        except EditError as error:
            # What only a failed block would have brought into the text cannot be looked for: one complaint is enough.
            if not any(_Text(earlier.replace).places(block.search) for earlier in failed):
                name = f"block {number} of {len(blocks)} ({quote(block.search)})"
                problems.append(EditError(f"{name} {error}", error.tail and f"{name}:\n{error.tail}"))
            failed.append(block)
        else:
            text = apply(text, fitted[-1:])
    if problems:
        raise _all_of(problems)
    return tuple(fitted)


def _fitted(text: str, block: Block, source: str) -> Block:
    """One block, exact. The `EditError` says what is wrong with it, without its name."""
    found = occurrences(text, block.search)
    whole = [at for at in found if _is_whole(text, at, at + len(block.search))]
    if len(found) == len(whole) == 1:
        return block
    if not block.search.strip():
        raise EditError("has an empty search text; copy at least one line of the file into it")
    if len(whole) > 1:
        raise EditError(_ambiguous(text, [text.count("\n", 0, at) for at in whole]))
    here = _Text(text)
    if whole and block.search.endswith("\n"):  # the others are the ends of deeper lines
        first = text.count("\n", 0, whole[0])
        return here.replaced(first, first + block.search.count("\n"), lines_of(block.replace))
    plain = Block(_plain(block.search, text), _plain(block.replace, text))
    for shifting in (False, True):
        places = here.places(plain.search, shifting)
        if len(places) == 1:
            return here.rewritten(places[0], plain)
        if places:
            raise EditError(_ambiguous(text, [place.rows[0] for place in places]))
    if len(found) == 1:  # a part of a line
        return block
    if found:
        raise EditError(_ambiguous(text, [text.count("\n", 0, at) for at in found]))
    what = f"is not in the file: {nearest(text, block.search)}{_hint(source, text, block)}"
    raise EditError(what, _compared(text, block.search))


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a part of a text consists of whole lines, be it without the last one's end."""
    return text[start - 1 : start] in ("", "\n") and (text[end - 1 : end] == "\n" or text[end : end + 1] in ("", "\n"))


def _plain(text: str, source: str) -> str:
    """A text without kinds of white space that the file has none of: they came in on the way."""
    kinds = {character for character in text if unicodedata.category(character) == "Zs"} - set(source)
    text = text.translate({ord(character): " " for character in kinds})
    text = text.translate({ord(character): None for character in _INVISIBLE if character not in source})
    if "\t" not in source:
        text = re.sub(r"^[ \t]+", lambda found: found[0].expandtabs(_TAB), text, flags=re.MULTILINE)
    return text


@dataclass(frozen=True)
class _Row:
    """A line that is not empty, without its end."""

    text: str
    at: int  # its index among all lines
    gap: int  # empty lines before it


@dataclass(frozen=True)
class _Place:
    """Where a search text fits, and how its lines become those of the file."""

    rows: tuple[int, ...]  # for each of its lines that is not empty, the file's line
    added: str = ""  # what the file has more of before each line
    dropped: str = ""  # what it has less of

    def moved(self, line: str) -> str:
        """A line of the block at the depth of the file."""
        if not line.startswith(self.dropped):
            raise EditError(
                f"is indented by {len(self.dropped)} more than the file, and its replacement has a line that is not: "
                f"{quote(line)}; indent both as the file does"
            )
        return self.added + line.removeprefix(self.dropped)


class _Text:
    """The lines of a text, and those among them that are not empty."""

    def __init__(self, text: str) -> None:
        self.lines = lines_of(text)

    @cached_property
    def rows(self) -> list[_Row]:
        rows: list[_Row] = []
        for at, line in enumerate(self.lines):
            if line.strip():
                rows.append(_Row(line.rstrip(), at, at - (rows[-1].at + 1 if rows else 0)))
        return rows

    @property
    def trailing(self) -> int:
        """Empty lines at the end."""
        return len(self.lines) - (self.rows[-1].at + 1 if self.rows else 0)

    def places(self, search: str, shifting: bool = False) -> list[_Place]:
        """Where a text fits but for empty lines, ends of lines and, if asked for, one shift of all its lines."""
        wanted = _Text(search).rows
        if not wanted:
            return []
        found = (self._place(first, wanted, shifting) for first in range(len(self.rows) - len(wanted) + 1))
        return [place for place in found if place is not None]

    def _place(self, first: int, wanted: Sequence[_Row], shifting: bool) -> _Place | None:
        added = dropped = ""
        have, want = self.rows[first].text, wanted[0].text
        if shifting and have.endswith(want):
            added = have[: len(have) - len(want)]
        elif shifting and want.endswith(have):
            dropped = want[: len(want) - len(have)]
        if (added + dropped).strip():
            return None
        for number, row in enumerate(wanted, first):
            if dropped + self.rows[number].text != added + row.text:
                return None
        return _Place(tuple(row.at for row in self.rows[first : first + len(wanted)]), added, dropped)

    def replaced(self, first: int, end: int, new: Sequence[str]) -> Block:
        """The block that replaces the lines `[first, end)`, with as much around them as makes it exact."""
        new = [line if line.endswith("\n") else f"{line}\n" for line in new]
        low, high = widened(self.lines, first, end)
        return Block("".join(self.lines[low:high]), "".join([*self.lines[low:first], *new, *self.lines[end:high]]))

    def rewritten(self, place: _Place, block: Block) -> Block:
        """A block at its place. Lines that its replacement keeps stay as the file has them, empty ones included."""
        search, replace = _Text(block.search), _Text(block.replace)
        kept = _kept(search.rows, replace.rows)
        first, end = place.rows[0], place.rows[-1] + 1
        # Empty lines at the ends of a search text are no condition; of those that the file lacks, none is added.
        before = self._empty(first - 1, -1, search.rows[0].gap)
        after = self._empty(end, 1, search.trailing)
        new: list[str] = []
        for number, row in enumerate(replace.rows):
            was, then = kept.get(number), kept.get(number - 1)
            gap = ["\n"] * row.gap
            if number == 0:
                gap = gap[search.rows[0].gap - before :]
            elif was is not None and then is not None and then == was - 1 and search.rows[was].gap == row.gap:
                gap = self.lines[place.rows[then] + 1 : place.rows[was]]
            new += gap
            new.append(place.moved(row.text) + "\n" if was is None else self.lines[place.rows[was]])
        new += ["\n"] * (replace.trailing - (search.trailing - after))
        return self.replaced(first - before, end + after, new)

    def _empty(self, at: int, step: int, most: int) -> int:
        """How many empty lines there are from a line on, up to so many."""
        number = 0
        while number < most and 0 <= at < len(self.lines) and not self.lines[at].strip():
            number, at = number + 1, at + step
        return number


def _kept(search: Sequence[_Row], replace: Sequence[_Row]) -> dict[int, int]:
    """The lines of a replacement that stand in the search text too -> where there."""
    old, new = [row.text for row in search], [row.text for row in replace]
    same = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {match.b + offset: match.a + offset for match in same for offset in range(match.size)}


def _ambiguous(text: str, lines: Sequence[int]) -> str:
    """That a text fits several lines, with the line before each, which would tell them apart."""
    have = lines_of(text)
    told = [f"line {at + 1} (after {quote(have[at - 1])})" if at else "line 1" for at in lines[:_PLACES]]
    more = f" and {len(lines) - _PLACES} more" if len(lines) > _PLACES else ""
    return f"fits {len(lines)} places: {', '.join(told)}{more}; copy more of the lines around the one that you mean"


def _hint(source: str, text: str, block: Block) -> str:
    """What else may explain that a text is not there."""
    if any(_ELISION.match(line.strip()) for line in block.search.split("\n")):
        return "; '...' stands for nothing: write every line out, or make two blocks"
    if text != source and _Text(source).places(block.search):
        return "; a block before it has changed these lines: make one block of the two"
    if block.replace.strip() and _Text(text).places(block.replace, shifting=True):
        return "; its replacement is in the file already"
    return ""


def _compared(text: str, search: str) -> str:
    """A diff from the file's lines to those that were looked for; empty where nothing is like them."""
    have, want = lines_of(text), lines_of(search)
    start = closest_start(text.split("\n"), search.split("\n"))
    if start is None:
        return ""
    there = "".join(have[start : start + len(want)])
    lines = diff(there, search, f"train.py from line {start + 1}", "your search text").split("\n")[:-1]
    cut = [line if len(line) <= _DIFF_WIDTH else f"{line[:_DIFF_WIDTH]} …" for line in lines[:_DIFF_LINES]]
    left_out = [f"… and {len(lines) - _DIFF_LINES} lines more"] if len(lines) > _DIFF_LINES else []
    return "\n".join(cut + left_out)


def _all_of(problems: Sequence[EditError]) -> EditError:
    """One error of many; its message is one line."""
    more = f"; and {len(problems) - _TOLD} more blocks do not fit either" if len(problems) > _TOLD else ""
    told = problems[:_TOLD]
    message = "; ".join(str(problem) for problem in told) + more
    tail = "\n\n".join(problem.tail for problem in told if problem.tail)
    return EditError(f"{message}. No block was applied: send all of them again, these corrected", tail)
