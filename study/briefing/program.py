"""The program: the human's instructions to whoever proposes edits, the package's `program.md` or a file of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from autoresearch.errors import InputError

from ..edits import sha256_of

MAX_PROGRAM_BYTES = 32_000  # some 8,000 tokens, sent with each request; the package's own has a tenth of it
_EXPECTED = "expected a text of instructions; leave --program out for the package's own"


@dataclass(frozen=True)
class Program:
    """A text of instructions."""

    text: str
    sha256: str  # kept with each edit, so that programs can be compared


def read_program(path: Path | None = None) -> Program:
    """The instructions in a file; None for the package's own.

    Line ends become Unix's, so that the same text has the same hash wherever it was checked out.

    Raises:
        InputError: The file cannot be read, or is not what instructions are.
    """
    if path is None:
        text = (resources.files("autoresearch") / "program.md").read_text(encoding="utf-8")
    else:
        text = _user_text(path)
    text = text.replace("\r\n", "\n")
    return Program(text, sha256_of(text))


def _user_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PROGRAM_BYTES + 1)  # whatever it is, no more of it is of use
    except OSError as error:
        raise InputError(f"cannot read --program {path}: {error.strerror}; {_EXPECTED}") from None
    if len(content) > MAX_PROGRAM_BYTES:
        raise InputError(
            f"--program {path} has more than the {MAX_PROGRAM_BYTES:,} bytes that are allowed: "
            "it goes out with every request; shorten it"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"--program {path} is not UTF-8 text (byte {error.start:,}); {_EXPECTED}") from None
    if not text.strip():
        raise InputError(f"--program {path} is empty; {_EXPECTED}")
    if "\0" in text:
        raise InputError(f"--program {path} holds a null character (byte {content.index(0):,}); {_EXPECTED}")
    return text
