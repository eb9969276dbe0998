"""What a probe must not get at: files, sockets, a process and a variable, laid out around its sandbox."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .grants import corpora, home_folders


@dataclass(frozen=True)
class Bait:
    """Where it lies."""

    port: int  # of a server of ours at 127.0.0.1
    local: str  # its socket in the file system
    home: str | None  # a file in the home folder; None where there is no such folder, or it cannot be written to
    elsewhere: tuple[str, ...]  # files in other folders
    corpus: str | None  # a text of the built-in corpus; None where it is not installed
    sibling: str  # one in the folder of another trial
    environment: str  # the name of a variable that is no candidate's business
    victim: int  # a process
    marker: str  # what the files, the variable, and the victim's command line and environment hold


@contextmanager
def bait_around(study: Path, under: Path) -> Iterator[Bait]:
    """Lay it out.

    Args:
        study: The folder of a study, with a trial's folder called `sibling`.
        under: Where studies lie.
    """
    marker = secrets.token_hex(8)
    with ExitStack() as until_then:
        files = [until_then.enter_context(_marked(folder, marker)) for folder in (under, Path(tempfile.gettempdir()))]
        home = None
        for folder in home_folders():
            with contextlib.suppress(OSError):  # some users have none
                home = until_then.enter_context(_marked(folder, marker))
                break
        sibling = study / "sibling" / "log.txt"
        sibling.write_text(marker, encoding="ascii")
        port = until_then.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        local = str(files[1].parent / "socket")
        server = until_then.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(local)
        server.listen()
        victim = until_then.enter_context(_sleeper(marker))
        yield Bait(
            port=port,
            local=local,
            home=None if home is None else str(home),
            elsewhere=tuple(map(str, files)),
            corpus=next((str(text) for place in corpora() for text in sorted(place.rglob("*.txt"))), None),
            sibling=str(sibling),
            environment="AUTORESEARCH_PROBE",
            victim=victim,
            marker=marker,
        )


@contextmanager
def _marked(folder: Path, marker: str) -> Iterator[Path]:
    """A file that holds the marker, in a new folder of its own."""
    with tempfile.TemporaryDirectory(prefix=".autoresearch-bait-", dir=folder) as made:
        path = Path(made) / "secret"
        path.write_text(marker, encoding="ascii")
        yield path


@contextmanager
def _sleeper(marker: str) -> Iterator[int]:
    """A process with the marker on its command line and in its environment."""
    command = [sys.executable, "-I", "-S", "-c", "import sys; print(flush=True); sys.stdin.read()", marker]
    with subprocess.Popen(command, env={"MARKER": marker}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()
