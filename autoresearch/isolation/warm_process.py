"""The warm process from the outside: one life of it, from its start to its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoresearch.errors import AutoresearchError, InputError, WorkerError
from autoresearch.sandbox.pids import outside_pid
from autoresearch.sandbox.sandbox import Sandbox

from .channel import Channel, Nonsense
from .environment import ONE_THREAD, clean_environment
from .messages import MAX_TAIL, one_line, printable

# Where Objective-C and Accelerate are loaded (macOS) a fork without exec is not safe: there each job has a process of its own.
FORKS = sys.platform == "linux"
_IMPORT_SECONDS = 300.0  # a cold file system on the network has been seen to take minutes
_ANSWER_SECONDS = 20.0  # for a fork, or to kill and reap a process tree


class WarmProcessLost(AutoresearchError):  # noqa: N818
    """The warm process died, or does not answer."""


class WarmProcess:
    """Starts at once; imports while this process goes on."""

    def __init__(
        self,
        cache: Path,
        forks: bool = FORKS,
        rehearse: bool = False,
        compiles: bool = True,
        start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
        sandbox: Sandbox | None = None,
        background: bool = False,
    ) -> None:
        _make_folder(cache / "tmp")
        self.forks = forks
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- a pipe that nobody reads could fill up
        ours, theirs = socket.socketpair()
        # -P: what lies in the working directory shall not stand in for a module.
        command = [sys.executable, "-P", "-m", "autoresearch.isolation.warm", str(theirs.fileno())]
        command += ["--once"] * (not forks) + ["--rehearse"] * rehearse + ["--eager"] * (not compiles)
        command += ["--background"] * background
        if sandbox is not None:
            command = sandbox.command([*command, "--enclosure", sandbox.enclosure])
        try:
            self._process = start(
                command,
                env=clean_environment(cache) | (ONE_THREAD if background else {}),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,  # a terminal's Ctrl-C is not for it
            )
        except OSError as error:  # no more processes, or no memory for one
            ours.close()
            raise WorkerError(f"this machine cannot start a process: {error.strerror}") from error
        finally:
            theirs.close()
        self._control = Channel(ours)
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked for a candidate, or soon can."""
        return self._process.poll() is None

    def fork(self, folder: Path, descriptors: list[int], compiles: bool) -> int | None:
        """Start a candidate; return its process number, None if it has ended already.

        Args:
            folder: Where it shall work.
            compiles: Whether it may compile with several processes.
            descriptors: Its end of a channel, its log, and shared memory. They are copied: close them afterwards.

        Raises:
            WarmProcessLost: It died, or takes too long.
        """
        if not self._is_ready:
            self._hear("ready", _IMPORT_SECONDS)
            self._is_ready = True
        try:
            self._control.send({"do": "start", "folder": str(folder.resolve()), "compiles": compiles})
            socket.send_fds(self._control.socket, [b"."], descriptors)
        except OSError as error:
            raise WarmProcessLost(self._obituary()) from error
        # In a sandbox processes may have other numbers than out here.
        return outside_pid(int(self._hear("started", _ANSWER_SECONDS)["pid"]), self._process.pid)

    def kill_candidate(self) -> None:
        """Kill it with its whole process tree, unless it has ended.

        Raises:
            WarmProcessLost: It died; it may have had no time to kill anything.
        """
        if not self.forks:
            self._kill_group()
            return
        try:
            self._control.send({"do": "kill"})
        except OSError as error:
            raise WarmProcessLost(self._obituary()) from error

    def wait_for_candidate(self, seconds: float = _ANSWER_SECONDS) -> int | None:
        """Wait until the candidate and everything below it are gone.

        Returns:
            How it ended, as `Popen.returncode` has it.

        Raises:
            WarmProcessLost: It died, or the candidate is still there.
        """
        if self.forks:
            status: int | None = self._hear("ended", seconds)["status"]
            return status
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise WarmProcessLost(f"the trial's process did not end within {seconds:.0f} s") from None
        self._kill_group()  # what it left behind
        return status

    def close(self) -> None:
        """End it, and with it the candidate."""
        self._control.hang_up()
        self._control.close()
        if not self._is_ready:
            self._process.kill()  # in the midst of its imports it hears nothing
        try:
            self._process.wait(_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _hear(self, word: str, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        try:
            while self._control.poll(max(0.0, deadline - time.monotonic())):
                message = self._control.receive()
                if message["said"] == word:
                    return message
        except (EOFError, OSError, Nonsense) as error:
            raise WarmProcessLost(self._obituary()) from error
        raise WarmProcessLost(f"the process that starts trials did not get {word} within {seconds:.0f} s")

    def _obituary(self) -> str:
        try:
            status = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            status = None
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - MAX_TAIL))
        lines = printable(self._errors.read().decode("utf-8", "replace")).strip().splitlines()
        last = one_line(lines[-1]) if lines else "it left no message"
        return f"the process that starts trials ended with exit code {status}: {last}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}; set AUTORESEARCH_HOME to one that can be written to"
        ) from None
