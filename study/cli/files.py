"""Files that a command writes for its user."""

from __future__ import annotations

from pathlib import Path

from autoresearch.errors import InputError


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet: what somebody has edited is not written over.

    Raises:
        InputError: It exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; expected a new file in a folder that exists"
        ) from None
