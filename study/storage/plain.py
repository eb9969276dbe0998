"""What a database can hold: text without NUL or halves of characters, numbers that are numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def printable(text: str) -> str:
    """Text that PostgreSQL accepts: a log may hold bytes that are none."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def plain(result: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's result as JSON: NaN and infinity, which JSON lacks, become null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in result.items()
    }


def printable_json(value: Any) -> Any:
    """The same for every text in a structure of mappings and sequences, which become dictionaries and lists."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(name)): printable_json(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [printable_json(item) for item in value]
    return value
