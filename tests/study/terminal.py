"""The command line on a terminal: a real one, as far as the program can tell."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest


def on_a_terminal(*arguments: str, columns: int = 80, errors_too: bool = False) -> str:
    """What `autoresearch` writes there; it must end well.

    Args:
        arguments: Of the command line.
        columns: The terminal's width.
        errors_too: Whether the terminal is stderr as well; else nothing may be written to that.
    """
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "autoresearch.study.cli", *arguments],
        env=environment,
        stdout=terminal,
        stderr=terminal if errors_too else subprocess.PIPE,
    )
    os.close(terminal)
    seen = b""
    try:
        while chunk := os.read(screen, 4096):
            seen += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    _, errors = process.communicate()
    os.close(screen)
    assert (process.returncode, errors or b"") == (0, b""), seen.decode()
    return seen.decode()
