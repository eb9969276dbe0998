"""How large the text of a `train.py` may be: so that it can be read, and so that no trained numbers travel in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autoresearch.errors import RevisionError

from .source_tree import SourceTree

# The package's own file has 21,000 bytes in lines of at most 120 characters, with 190 numbers and 400 bytes of strings.
MAX_BYTES = 100_000
MAX_LINE = 1_000
MAX_STRING = 2_000  # bytes of one string
MAX_STRINGS = 20_000  # bytes of all strings together; docstrings, which a file cannot read, do not count
MAX_NUMBERS = 2_000
MAX_INTEGER_BITS = 64

_TABLES = "a train.py learns its numbers within the budget; compute tables, do not write them down"


def check_text(source: str) -> None:
    """Refuse what is too large, or no text, before Python's parser sees it.

    Raises:
        RevisionError: With the line at fault.
    """
    lines = re.split(r"\r\n|\r|\n", source)
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise RevisionError(f"line {number}: a NUL byte; expected UTF-8 text")
        if re.search("[\ud800-\udfff]", line):
            raise RevisionError(f"line {number}: a lone surrogate, which UTF-8 cannot hold; expected UTF-8 text")
        if len(line) > MAX_LINE:
            raise RevisionError(f"line {number}: {len(line):,} characters, at most {MAX_LINE:,} are allowed; wrap it")
    size = len(source.encode())
    if size > MAX_BYTES:
        raise RevisionError(
            f"line {len(lines)}: the file has {size:,} bytes by its end, at most {MAX_BYTES:,} are allowed; shorten it"
        )


def check_literals(tree: SourceTree) -> Iterator[tuple[int, str]]:
    """The lines in which there is too much written-down data, and what to do about it."""
    numbers = strings = 0
    for node in sorted(_literals(tree), key=lambda node: (node.lineno, node.col_offset)):
        value = node.value
        if isinstance(value, str | bytes):
            size = len(value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass"))
            strings += size
            if size > MAX_STRING:
                yield node.lineno, f"a string of {size:,} bytes, at most {MAX_STRING:,} are allowed; {_TABLES}"
            if strings > MAX_STRINGS:
                yield node.lineno, f"more than {MAX_STRINGS:,} bytes of strings in the file up to here; {_TABLES}"
        elif isinstance(value, int | float | complex) and not isinstance(value, bool):
            numbers += 1
            if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
                yield (
                    node.lineno,
                    f"an integer of {value.bit_length():,} bits, at most {MAX_INTEGER_BITS} are allowed; {_TABLES}",
                )
            if numbers > MAX_NUMBERS:
                yield node.lineno, f"more than {MAX_NUMBERS:,} numbers in the file up to here; {_TABLES}"


def _literals(tree: SourceTree) -> Iterator[ast.Constant]:
    for node, (parent, _) in tree.parents.items():
        if isinstance(node, ast.Constant) and not isinstance(parent, ast.Expr):
            yield node
