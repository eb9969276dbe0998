"""Documents out of plain files, as text that every later step can encode.

Text is made sound once, here at the door: bytes that are not UTF-8 and lone surrogates (which JSON can spell)
become U+FFFD, and the document remembers that it was repaired.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import DataError

END_OF_TEXT = b"<|endoftext|>"
MIN_DOCUMENT_BYTES = 1_000  # passages of a blank-line separated file are merged until they have about this length
_BLANK_LINES = re.compile(rb"\n[ \t\r]*\n\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a corpus, valid Unicode."""

    text: str
    repaired: bool = False


def from_bytes(raw: bytes) -> Document:
    """Decode UTF-8, with U+FFFD for what is not, and without a byte order mark."""
    try:
        return Document(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Document(raw.decode("utf-8-sig", errors="replace"), repaired=True)


def from_str(text: str) -> Document:
    """Join surrogate pairs and replace surrogates that stand alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return Document(sound, repaired=True)
    return Document(text)


def read_txt(path: Path, *, whole: bool) -> Iterator[Document]:
    """Yield the documents of a text file: all of it, or what its separators divide."""
    if whole:
        yield from_bytes(path.read_bytes())
    elif path.stat().st_size:  # an empty file cannot be mapped
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for start, stop in _end_of_text_spans(data) if data.find(END_OF_TEXT) >= 0 else _passage_spans(data):
                yield from_bytes(data[start:stop])


def _end_of_text_spans(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    start = 0
    while (stop := data.find(END_OF_TEXT, start)) >= 0:
        yield start, stop
        start = stop + len(END_OF_TEXT)
    yield start, len(data)


def _passage_spans(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    start = 0
    for gap in _BLANK_LINES.finditer(data):
        if gap.start() - start >= MIN_DOCUMENT_BYTES:
            yield start, gap.start()
            start = gap.end()
    yield start, len(data)


def read_jsonl(path: Path, column: str) -> Iterator[Document]:
    """Yield the named field of every line.

    Python's JSON reader, because `datasets` refuses a file with a lone surrogate in it.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _json_document(line, column, f"{path}, line {number}")


def _json_document(line: bytes, column: str, where: str) -> Document:
    decoded = from_bytes(line)
    try:
        row = json.loads(decoded.text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not valid JSON ({error}); expected one object a line") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected a JSON object, found {type(row).__name__}")
    if column not in row:
        raise DataError(missing_column(column, list(row), where))
    document = from_str(checked_text(row[column], column, where))
    return Document(document.text, document.repaired or decoded.repaired)


def checked_text(value: object, column: str, where: str) -> str:
    """Return a field's text; an absent value (null) is an empty text, which is no document."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where}: column {column!r} holds {type(value).__name__}, expected text; choose --text-column")
    return value


def missing_column(column: str, present: list[str], where: str) -> str:
    """Say which column is missing and which there are."""
    names = ", ".join(repr(name) for name in sorted(present)) or "none"
    return f"{where}: no column {column!r}; there are {names}: choose one with --text-column"
