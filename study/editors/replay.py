"""The replay editor: edits recorded in a file of JSON lines, proposed in their order.

One object a line: `{"title": ..., "hypothesis": ..., "edits": [{"search": ..., "replace": ...}, ...]}`. Other fields, such
as those that `study export --edits` adds, are for the reader and passed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autoresearch.errors import InputError

from ..records import Block, Edit
from .blocks import is_plain
from .editor import EditContext


class ReplayEditor:
    """Proposes the records of a file, each once in a study.

    Raises:
        InputError: The file cannot be read, or a line is no valid record.
    """

    name = "replay"
    is_slow = False
    answer_format = ""

    def __init__(self, path: Path) -> None:
        self._edits = read_records(path)

    def propose(self, context: EditContext) -> Edit | None:
        """The first record that the study has not seen."""
        return next((edit for edit in self._edits if edit.key not in context.used), None)

    def draft_of(self, key: str) -> None:
        """No conversation: what was recorded costs nothing."""

    def close(self) -> None:
        """Nothing is under way."""


def read_records(path: Path) -> tuple[Edit, ...]:
    """The edits of a file, all of them checked.

    Raises:
        InputError: The file cannot be read, or a line is no valid record, or repeats an earlier one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; expected a file of recorded edits") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {path}: it is not UTF-8 text; expected a file of recorded edits") from None
    first_seen: dict[str, int] = {}
    edits = []
    for number, line in enumerate(
        text.split("\n"), 1
    ):  # not splitlines: JSON may hold other line separators as they are
        if not line.strip():
            continue
        try:
            edit = _edit(line)
        except InputError as error:
            raise InputError(f"{path} line {number}: {error}") from None
        if edit.key in first_seen:
            raise InputError(
                f"{path} line {number}: the edits are those of line {first_seen[edit.key]}; expected each record once"
            )
        first_seen[edit.key] = number
        edits.append(edit)
    if not edits:
        raise InputError(
            f"{path} holds no edits: expected one JSON object a line, as `study export --edits` writes them"
        )
    return tuple(edits)


def write_records(edits: Iterable[Edit], about: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """The text of a file that `read_records` takes; edits with the same blocks as an earlier one are left out.

    Args:
        edits: What to record.
        about: Further fields for the reader, by the edit's key.
    """
    lines: dict[str, str] = {}
    for edit in edits:
        record = {
            "title": edit.title,
            "hypothesis": edit.hypothesis,
            "edits": [{"search": block.search, "replace": block.replace} for block in edit.blocks],
        }
        lines.setdefault(
            _key(edit.blocks), json.dumps({**record, **(about or {}).get(edit.key, {})}, ensure_ascii=False)
        )
    return "".join(f"{line}\n" for line in lines.values())


def _key(blocks: Iterable[Block]) -> str:
    """The same for the same replacements, whatever they are called."""
    canonical = json.dumps([[block.search, block.replace] for block in blocks])
    return f"replay:{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def _edit(line: str) -> Edit:
    """One record. The `InputError` says what is wrong with it."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"no valid JSON ({error.msg} at column {error.colno}); expected one object a line") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets a thousand deep
        raise InputError("no JSON of a record; expected an object with title, hypothesis and edits") from None
    if not isinstance(record, dict):
        raise InputError(f"{_kind(record)}; expected an object with title, hypothesis and edits")
    title, hypothesis = _text(record, "title", "the record"), _text(record, "hypothesis", "the record")
    if not title.strip() or not title.isprintable():
        raise InputError(f"the title is {title!r}; expected one line of printable text")
    blocks = _blocks(record.get("edits"))
    return Edit(_key(blocks), title.strip(), hypothesis, blocks)


def _blocks(edits: Any) -> tuple[Block, ...]:
    if not isinstance(edits, list) or not edits:
        found = "empty" if edits == [] else "missing" if edits is None else _kind(edits)
        raise InputError(f"edits is {found}; expected a list of at least one {{search, replace}}")
    blocks = []
    for number, block in enumerate(edits, 1):
        where = f"edit {number} of {len(edits)}"
        if not isinstance(block, dict):
            raise InputError(f"{where} is {_kind(block)}; expected an object with search and replace")
        search, replace = _text(block, "search", where), _text(block, "replace", where)
        if not search:
            raise InputError(f"the search of {where} is empty; expected text that occurs exactly once in train.py")
        blocks.append(Block(search, replace))
    return tuple(blocks)


def _text(record: Mapping[str, Any], name: str, where: str) -> str:
    """A field that must be text which a file, and every database, can hold."""
    if name not in record:
        raise InputError(f"{where} has no {name}; expected a string")
    value = record[name]
    if not isinstance(value, str):
        raise InputError(f"the {name} of {where} is {_kind(value)}; expected a string")
    if not is_plain(value):
        raise InputError(f"the {name} of {where} holds a null character or half a surrogate pair; expected plain text")
    return value


def _kind(value: Any) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
