"""The form in which a language model answers, and the reading of it.

Plain text, because models make fewer mistakes in it than in code inside JSON. What surrounds the parts is forgiven;
the parts are not guessed at: a marker without its partners is an error, for behind it a change would be lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..records import Block, Edit
from .blocks import EditError, apply, between, is_plain, quote
from .markers import find_blocks
from .matching import exact
from .prose import Fence, Outline, outline

MAX_CHARACTERS = 150_000  # a train.py may have 100,000 bytes
MAX_BLOCKS = 50
MAX_LINES = 5_000  # of a whole file; to compare a hundred thousand with those of the old one takes most of a minute
MAX_TITLE = 120  # characters; it stands in tables
MAX_HYPOTHESIS = 4_000
_TOLD = 5  # problems that one error tells of; the others are counted
_ALMOST = re.compile(r"(\s*> )?\s*[<>=+-]{2,}\s*(SEARCH|REPLACE)\b|[\W_]*(SEARCH|REPLACE)[\W_]*$")

FORMAT = """\
Answer in plain text, in exactly this form:

TITLE: one line, what the edit does
HYPOTHESIS: why it should lower val_bpb; this may take several lines

<<<<<<< SEARCH
lines of train.py as they stand, every one, with their indentation
=======
the lines to put in their place
>>>>>>> REPLACE

Give as many blocks as the edit needs. They are applied in order, all of them or none. The lines of SEARCH must stand
in the file exactly once, as the blocks before have left it: copy enough lines to tell the place from others, and no
more. They are whole lines; "..." stands for nothing. To insert lines, search for a neighbouring line and repeat it in
REPLACE; to delete lines, leave REPLACE empty. Markers stand on lines of their own. Should the lines themselves hold a
line like "=======", write all three markers of that block with eight characters in place of seven.
"""

WHOLE_FILE = """\
Answer in plain text, in exactly this form, without SEARCH/REPLACE blocks:

TITLE: one line, what the edit does
HYPOTHESIS: why it should lower val_bpb; this may take several lines

```python
the whole of the new train.py, from its first line to its last, with nothing left out
```
"""


class ReplyError(EditError):
    """A reply is not in the form that was asked for; the message, one line, tells its writer what to change."""


@dataclass(frozen=True)
class Reply:
    """What a model proposes: blocks as it wrote them, or a whole file."""

    title: str
    hypothesis: str
    blocks: tuple[Block, ...]
    whole_file: str | None = None


def read_reply(text: str, before: Reply | None = None) -> Reply:
    """Take a reply apart.

    Args:
        text: The reply.
        before: An earlier reply about the same edit, whose title and hypothesis hold where this one has none. Without
            it, a missing title is made of the hypothesis, and a missing hypothesis is empty.

    Raises:
        ReplyError: With everything that is wrong with it.
    """
    if len(text) > MAX_CHARACTERS:
        raise ReplyError(
            f"the reply has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read; "
            "send only a title, a hypothesis and blocks for the lines that change"
        )
    lines = _lines(text)
    if not any(line.strip() for line in lines):
        raise ReplyError("the reply is empty; expected TITLE:, HYPOTHESIS: and at least one SEARCH/REPLACE block")
    found = find_blocks(lines)
    rest = outline(found.outside)
    whole_file, problems = _whole_file(rest, with_blocks=found.any_marker)
    problems = [*found.problems, *_misspelt(rest), *problems]
    if len(found.blocks) > MAX_BLOCKS:
        problems.append(f"{len(found.blocks)} blocks, at most {MAX_BLOCKS} are taken; merge neighbouring ones")
    title, hypothesis = _headings(rest, before)
    if not title:
        problems.append("there is no title; begin with a line 'TITLE: ' and what the edit does")
    if problems:
        more = f"; and {len(problems) - _TOLD} more of the kind" if len(problems) > _TOLD else ""
        told = "; ".join(problems[:_TOLD]) + more
        raise ReplyError(f"the reply cannot be read: {told}. Nothing of it was used: send all of it again")
    return Reply(title, hypothesis, found.blocks, whole_file)


def edit_of(reply: Reply, source: str, key: str, program: str) -> Edit:
    """The edit that a reply about a text proposes, with blocks that apply exactly.

    Raises:
        EditError: A block fits nowhere or in several places, or nothing would change.
    """
    blocks = exact(source, reply.blocks) if reply.whole_file is None else between(source, reply.whole_file)
    if apply(source, blocks) == source:
        raise EditError("the edit changes nothing: the file would be what it is; propose one that changes its code")
    return Edit(key, reply.title, reply.hypothesis, blocks, program)


def _lines(text: str) -> list[str]:
    """The lines without their ends, cut only where Python cuts, and without what a model thought aloud beforehand."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if text.lstrip().startswith("<think>"):
        text = text.partition("</think>")[2]
    return text.split("\n")


def _whole_file(rest: Outline, with_blocks: bool) -> tuple[str | None, list[str]]:
    """The file that a reply holds in place of blocks, and what is wrong with that."""
    files = [fence for fence in rest.fences if fence.holds_a_model()]
    if with_blocks:
        both = "blocks and a whole file, of which only one can be meant; send the blocks alone"
        return None, [both] if files else []
    if not files:
        return None, [_nothing(rest)]
    if len(rest.fences) > 1:
        return None, [
            f"{len(rest.fences)} fences of code; expected one, with the whole file from its first line to its last"
        ]
    return _content(files[0])


def _content(fence: Fence) -> tuple[str | None, list[str]]:
    if not fence.closed:
        return None, ["the fence around the file is not closed, so its end may be missing; close it with ```"]
    if len(fence.lines) > MAX_LINES:
        return None, [f"the file has {len(fence.lines):,} lines, at most {MAX_LINES:,} are read; shorten it"]
    text = "\n".join(fence.lines).strip("\n") + "\n"
    if not is_plain(text):
        return None, ["the file holds a null character or half a surrogate pair; expected plain text"]
    return text, []


def _misspelt(rest: Outline) -> list[str]:
    """The lines outside of blocks that were meant as markers of one."""
    fenced = [line for fence in rest.fences if not fence.holds_a_model() for line in fence.lines]
    lines = [line for line in [*rest.prose, *fenced] if _ALMOST.match(line)]
    lines += [line for line in fenced if line.strip() == "======="]
    return [
        f"{quote(line.strip())} is no marker; expected '<<<<<<< SEARCH', '=======' and '>>>>>>> REPLACE'"
        for line in lines[:1]
    ]


def _nothing(rest: Outline) -> str:
    """That there is neither a block nor a file, and what there may be instead."""
    lines = [*rest.prose, *(line for fence in rest.fences for line in fence.lines)]
    expected = "expected '<<<<<<< SEARCH', the lines of train.py, '=======', the new lines, '>>>>>>> REPLACE'"
    if any(line.startswith("@@ -") for line in lines):
        return f"there is a diff and no block; {expected}"
    if any(line.startswith("class GPT") for line in lines):
        return "there is a file outside of a fence; put the whole of it between a line ```python and a line ```"
    return f"there is no block; {expected}"


def _headings(rest: Outline, before: Reply | None) -> tuple[str, str]:
    """The title, empty where there is none, and the hypothesis."""
    hypothesis = rest.hypothesis or (before.hypothesis if before else "")
    title = rest.title or (before.title if before else "") or hypothesis.partition(". ")[0]
    return _cut(" ".join(title.split()), MAX_TITLE), _cut(hypothesis, MAX_HYPOTHESIS)


def _cut(text: str, most: int) -> str:
    """Text that a database holds and a table shows."""
    text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= most else f"{text[: most - 2].rstrip()} …"
