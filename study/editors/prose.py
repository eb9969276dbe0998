"""What a reply holds beside its blocks: the title, the hypothesis, fences of code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_FENCE = re.compile(r"\s*(?P<sign>`{3,}|~{3,})(?P<info>[^`]*)")
_HEADING = re.compile(
    r"[\s>#*_`-]*(?P<name>title|hypothesis)(?P<mark>[\s*_`]*[:\uff1a]|\s+[-\u2013\u2014]\s|[\s*_`]*$)[\s*]*(?P<rest>.*)",
    re.IGNORECASE,
)

_FILE_NAME = re.compile(r"[\s#*`]*(autoresearch/)?train\.py[\s*`:]*")  # over a block, where it is no part of the text


@dataclass
class Fence:
    """The lines between two lines of backticks or tildes."""

    lines: list[str] = field(default_factory=list)
    closed: bool = False

    def holds_a_model(self) -> bool:
        """Whether this can be a whole train.py."""
        return any(re.match(r"class GPT\b", line) for line in self.lines)


@dataclass
class Outline:
    """A reply without its blocks."""

    title: str = ""
    hypothesis: str = ""
    fences: list[Fence] = field(default_factory=list)  # those with something in them
    prose: list[str] = field(default_factory=list)  # the lines outside of fences


def outline(lines: Sequence[str | None]) -> Outline:
    """Read the lines around blocks; None stands for a line of a block.

    A fence that opens right before the title is around all of the reply: it and its end are passed over.
    """
    found = Outline()
    open_fence, sign, around = Fence(closed=True), "", 0
    parts: dict[str, list[str]] = {}
    part: list[str] = []  # that the next line of prose belongs to
    for at, line in enumerate(lines):
        if line is None:
            part = []
            continue
        fence = _FENCE.fullmatch(line)
        if not open_fence.closed:
            if fence and fence["sign"].startswith(sign) and not fence["info"].strip():
                open_fence.closed = True
            else:
                open_fence.lines.append(line)
        elif fence:
            part = []
            if _before_a_heading(lines, at):
                around += 1
            elif around and not fence["info"].strip():
                around -= 1
            else:
                open_fence, sign = Fence(), fence["sign"]
                found.fences.append(open_fence)
        else:
            found.prose.append(line)
            if heading := _HEADING.fullmatch(line):
                name = heading["name"].lower()
                part = parts.setdefault(name, []) if name not in parts else []
                part.append(heading["rest"])
            elif not _FILE_NAME.fullmatch(line):
                part.append(line)
    found.fences = [fence for fence in found.fences if any(line.strip() for line in fence.lines)]
    title = next((line for line in parts.get("title", []) if line.strip()), "")
    found.title, found.hypothesis = _bare(title), _bare("\n".join(parts.get("hypothesis", [])))
    return found


def _before_a_heading(lines: Sequence[str | None], at: int) -> bool:
    later = (lines[number] for number in range(at + 1, len(lines)))
    following = next((line for line in later if line is None or line.strip()), None)
    return following is not None and _HEADING.fullmatch(following) is not None


def _bare(text: str) -> str:
    """Text without marks of emphasis or quotation around all of it."""
    text = text.strip()
    if text.count("**") % 2:  # the other half stood before the heading's name
        text = text.removesuffix("**").strip()
    for mark in ("**", "`", '"'):
        inner = text[len(mark) : -len(mark)]
        if len(text) > 2 * len(mark) and text == mark + inner + mark and mark not in inner:
            text = inner.strip()
    return text
