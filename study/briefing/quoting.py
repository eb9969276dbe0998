"""Text that others wrote, brought into a prompt as data: cleaned, cut to a size, and unable to end its own quotation.

Logs come from code that nobody trusts, and may hold whatever that code's author would like a model to read as an instruction.
So every line of a quotation stands behind a mark: no text, however it is made, has a line without one. Only `train.py`
itself cannot be quoted so, since blocks must match it letter by letter: it stands between two lines that do not occur in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ..report.described import shortened
from ..report.figures import one_line, printable

MARK = "| "
_LONGEST_LINE = 300  # characters of a quoted line
_LOOKED_AT = 4  # times what is shown, that is cleaned: a log may be one line of a million characters, or all colours
_CUT_NOTE_BYTES = 40  # at most, of the line that says how many are left out
_HEAD_SHARE = 1 / 3  # of what is kept of a long text: an error's last lines say what it was, its first ones where


def size(text: str) -> int:
    """Bytes, as they go out."""
    return len(text.encode())


def phrase(text: str, longest: int) -> str:
    """A text as a part of one line, in quotation marks that it cannot close, cut to so many characters."""
    inner = shortened(one_line(text[: _LOOKED_AT * longest]), longest).replace('"', "'")
    return f'"{inner}"'


def quoted(text: str, room: int) -> str:
    """A text of many lines as data: at most `room` bytes of it, of a longer one the head and the tail."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    looked_at = (printable(line[: _LOOKED_AT * _LONGEST_LINE]).expandtabs(4) for line in lines)
    return "\n".join(cut([MARK + shortened(line, _LONGEST_LINE) for line in looked_at], room))


def cut(lines: Sequence[str], room: int) -> list[str]:
    """The lines; or their head and tail, with a line between that says how many are missing."""
    if sum(size(line) + 1 for line in lines) <= room:
        return list(lines)
    room -= _CUT_NOTE_BYTES
    head = _first_that_fit(lines, room * _HEAD_SHARE)
    rest = lines[len(head) :]
    tail = _first_that_fit(rest[::-1], room - sum(size(line) + 1 for line in head))[::-1]
    missing = len(rest) - len(tail)
    return [*head, f"({missing} line{'s' if missing != 1 else ''} left out)", *tail]


def fitted(parts: Iterable[str], room: int) -> tuple[list[str], bool]:
    """As many of the parts as have room, the first ones first; and whether that is all of them."""
    wanted = list(parts)
    kept = _first_that_fit(wanted, room)
    return kept, len(kept) == len(wanted)


def enclosed(text: str, name: str) -> str:
    """A text as it is, between two lines of which it holds neither."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    # No text can be made to hold the whole of its own digest; a few digits may be in it by accident.
    seal = next(digest[:count] for count in range(16, len(digest) + 1) if digest[:count] not in text)
    whole = text if text.endswith("\n") else f"{text}\n"
    return f"=== {name} begins {seal} ===\n{whole}=== {name} ends {seal} ==="


def _first_that_fit(parts: Sequence[str], room: float) -> list[str]:
    kept, used = [], 0
    for part in parts:
        used += size(part) + 1  # a line end comes behind it
        if used > room:
            break
        kept.append(part)
    return kept
