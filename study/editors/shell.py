"""A user's command, run to its end or to ours: with a time limit, the end of its output kept, and nothing of it left running."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from autoresearch.errors import AutoresearchError, InputError

from . import leash

_LOOK = 0.1  # seconds between two looks at whether it has ended, or shall
_GRACE = 5.0  # seconds that the watcher leaves to this process, which can say what has happened
_KEPT = 2**16  # bytes of its output
_ROUNDS = 10  # of looking for what it left behind: what is killed may have started something meanwhile
_COOKIE = "AUTORESEARCH_COMMAND"
_NAMES = {number.value: number.name for number in signal.Signals}


class CommandStoppedError(AutoresearchError):
    """It was killed because nobody waits for it any more."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    exit_code: int | None  # as `Popen.returncode` has it; None where its time was up
    output: str  # the end of what it printed

    @property
    def ending(self) -> str:
        """In words, for "the command …"; empty where it went well."""
        match self.exit_code:
            case 0:
                return ""
            case None:
                return "took too long and was killed"
            case code if code < 0:
                return f"was killed by {_NAMES.get(-code, f'signal {-code}')}"
            case code:
                return f"ended with exit code {code}"


def check_is_there(command: str) -> None:
    """Raise an InputError where a command begins with the name of a program, and there is none of that name to be run."""
    name = re.match(r"\s*([\w./+-]+)(?=\s|$)", command)
    if name is None:  # quotes, variables, assignments: the shell's own business
        return
    if "/" in name[1] and not name[1].startswith("/"):
        whole = Path(name[1]).absolute()
        raise InputError(
            f"--editor command:{command}: it starts in a folder of its own, where there is no {name[1]!r}; give the whole path, "
            f"as in command:{whole}"
        )
    asked = ["sh", "-c", 'command -v -- "$1"', "sh", name[1]]
    try:
        is_there = not subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    except OSError:  # no shell at all: whoever runs the command will say so
        return
    if not is_there:
        raise InputError(f"--editor command:{command}: there is no command {name[1]!r}; expected one that runs here")


def run(
    command: str, folder: Path, seconds: float, environment: Mapping[str, str], is_wanted: Callable[[], bool]
) -> Ran:
    """Run a command by `sh` in a session of its own, and kill whatever of it still runs afterwards.

    Should this process die meanwhile, or not come to look at the clock, the command's group is killed by its watcher.
    What it prints goes through a pipe, of which the end is kept: it may print without end, and fills no disk.

    Args:
        command: For `sh -c`.
        folder: Its working directory.
        seconds: After which it is killed.
        environment: Its environment.
        is_wanted: Is asked many times a second; when it says no, the command is killed.

    Raises:
        CommandStoppedError: It said no.
        OSError: No process can be started.
    """
    cookie = uuid.uuid4().hex
    with _leash() as held:
        process = _start(command, folder, seconds, {**environment, _COOKIE: cookie}, held)
        end = _End()
        with _output(process) as pipe:
            try:
                exit_code = _wait(process, pipe, end, time.monotonic() + seconds, is_wanted)
            finally:
                _kill(process, cookie, folder.resolve())
            _read(pipe, end)  # what is left in the pipe
    return Ran(exit_code, end.text)


@contextlib.contextmanager
def _leash() -> Iterator[int]:
    """The end of a pipe that the command's watcher holds; ours is closed when this process is no more, at the latest."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def _start(
    command: str, folder: Path, seconds: float, environment: Mapping[str, str], held: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", leash.__file__, str(held), str(seconds + _GRACE), command],
        cwd=folder,
        env=environment,
        pass_fds=(held,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process.stdout


def _wait(
    process: subprocess.Popen[bytes], pipe: IO[bytes], end: _End, deadline: float, is_wanted: Callable[[], bool]
) -> int | None:
    """Until it has ended, though it may have left others that hold the pipe; None when the time is up."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (exit_code := process.poll()) is None:
            if not is_wanted():
                raise CommandStoppedError("the command was stopped")
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if not selector.get_map():  # it has closed its output, and goes on
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(min(left, _LOOK))
            elif selector.select(min(left, _LOOK)) and not _read(pipe, end):
                selector.unregister(pipe)
    return exit_code


class _End:
    """The end of a text that may have none."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, more: bytes) -> None:
        """Take what comes next."""
        self._kept += more
        if len(self._kept) > _KEPT:
            del self._kept[:-_KEPT]

    @property
    def text(self) -> str:
        """What is kept."""
        return self._kept.decode("utf-8", "replace")


def _read(pipe: IO[bytes], end: _End) -> bool:
    """Take what waits in the pipe, at most a megabyte of it, so that the clock is looked at; False at its end."""
    for _ in range(16):
        try:
            some = os.read(pipe.fileno(), 2**16)
        except BlockingIOError:
            return True
        if not some:
            return False
        end.add(some)
    return True


def _kill(process: subprocess.Popen[bytes], cookie: str, folder: Path) -> None:
    """Kill the command, its group, and what has left the group but can still be told by its mark or its place."""
    left: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        left = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS denies it where only zombies are left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(_ROUNDS):
        left += _stray(cookie, folder)
        if not left:
            return
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(left, timeout=_LOOK)
        left = []


def _stray(cookie: str, folder: Path) -> Iterator[psutil.Process]:
    """The processes with the cookie in their environment, which all inherit that a command starts, or that work in its folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # somebody else's, or gone
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(_COOKIE) == cookie or Path(process.cwd()).is_relative_to(folder):
                yield process
