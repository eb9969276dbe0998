"""The editors by the names under which `--editor` knows them."""

from __future__ import annotations

from pathlib import Path

from autoresearch.errors import InputError

from .editor import Editor
from .replay import ReplayEditor


def editor_named(spec: str) -> Editor | None:
    """The editor that a text such as `replay:FILE` asks for; None for `none`.

    Raises:
        InputError: There is no such editor, or its file is no good.
    """
    name, _, argument = spec.partition(":")
    match name, argument:
        case "none", "" if spec == "none":
            return None
        case "replay", path if path:
            return ReplayEditor(Path(path))
    raise InputError(f"there is no editor {spec!r}: expected none or replay:FILE, as in replay:examples/edits.jsonl")
