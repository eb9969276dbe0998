"""A worker that runs a command for an edit: commanding_process.py COMMAND."""

from __future__ import annotations

import sys

from autoresearch.study.editors.command import CommandEditor
from autoresearch.study.editors.editor import EditContext


def main(command: str) -> None:
    CommandEditor(command, "Lower val_bpb.\n").propose(EditContext("depth = 8\n", "0" * 64))


if __name__ == "__main__":
    main(*sys.argv[1:])
