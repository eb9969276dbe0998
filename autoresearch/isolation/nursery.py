"""Candidates for the asking: one warm process at hand, another one as soon as it is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from autoresearch.errors import InputError, WorkerError
from autoresearch.sandbox.resources import excess
from autoresearch.sandbox.sandbox import Sandbox

from .channel import Channel
from .job import LOG
from .warm_process import FORKS, WarmProcess, WarmProcessLost


class Nursery:
    """Keeps a warm process."""

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
        """Prepare to start processes.

        Args:
            cache: A folder for compiled code; made if need be.
            forks: Whether a warm process forks its candidates, or becomes one.
            rehearse: Whether the compiler for CPUs will be wanted.
            compiles: Whether any compiler will.
            start: Starts a process, as `subprocess.Popen` does.
            sandbox: Around all that is started; None for none.
            background: Whether all of it gives way to whatever else runs here, and computes on one thread.
        """
        if sys.platform == "win32":
            raise InputError("a study runs each trial in a process of its own, which needs Linux or macOS, not Windows")
        self._cache, self._forks, self._rehearse, self._compiles = cache, forks, rehearse, compiles
        self._start_process, self._sandbox, self._background = start, sandbox, background
        self._warm: WarmProcess | None = None

    def warm_up(self) -> WarmProcess:
        """Start a warm process unless there is one; it imports what it needs while this process goes on."""
        if self._warm is None or not self._warm.is_alive:
            self.close()
            self._warm = WarmProcess(
                self._cache,
                self._forks,
                self._rehearse,
                self._compiles,
                self._start_process,
                self._sandbox,
                self._background,
            )
        return self._warm

    @contextmanager
    def candidate(self, folder: Path, memory: Sequence[int] = (), compiles: bool = True) -> Iterator[Candidate]:
        """A new candidate; when the context is left, it and everything below it are dead.

        Args:
            folder: Where it works and its log goes; exists.
            memory: Descriptors of shared memory to hand over.
            compiles: Whether it may compile with several processes.

        Raises:
            WorkerError: No process can be started.
        """
        candidate = self._start(folder, memory, compiles)
        is_of_use = False
        try:
            yield candidate
        finally:
            try:
                is_of_use = candidate.end()
            finally:
                if not is_of_use:
                    self.close()

    def close(self) -> None:
        """End the warm process."""
        if self._warm is not None:
            self._warm.close()
            self._warm = None

    def _start(self, folder: Path, memory: Sequence[int], compiles: bool) -> Candidate:
        try:
            try:
                return self._new(self.warm_up(), folder, memory, compiles, self._sandbox)
            except WarmProcessLost:  # since it was last looked at
                self.close()
                return self._new(self.warm_up(), folder, memory, compiles, self._sandbox)
        except WarmProcessLost as error:
            self.close()
            raise WorkerError(f"this machine cannot start a trial: {error}") from error
        except BaseException:  # Ctrl-C, say: nobody knows what the warm process has done of what it was asked
            self.close()
            raise

    @staticmethod
    def _new(
        warm: WarmProcess, folder: Path, memory: Sequence[int], compiles: bool, sandbox: Sandbox | None
    ) -> Candidate:
        ours, theirs = socket.socketpair()
        try:
            with theirs, (folder / LOG).open("wb") as log:
                pid = warm.fork(folder, [theirs.fileno(), log.fileno(), *memory], compiles)
        except BaseException:
            ours.close()
            raise
        return Candidate(warm, Channel(ours), pid, folder, sandbox)


class Candidate:
    """One candidate's process, from the outside."""

    def __init__(
        self, warm: WarmProcess, channel: Channel, pid: int | None, folder: Path, sandbox: Sandbox | None
    ) -> None:
        self.channel = channel
        self._warm, self._pid = warm, pid
        self._folder, self._sandbox = folder, sandbox
        self._has_ended = False
        self._is_of_use = False  # the warm process, afterwards
        # Remembers when the process began, so that another one of the same number is not taken for it.
        self._process = psutil.Process(pid) if pid is not None and psutil.pid_exists(pid) else None

    def excess(self) -> str | None:
        """Which limit of its sandbox it exceeds, in words; None where it keeps them all."""
        if self._sandbox is None or self._process is None:
            return None
        return excess(self._process, self._folder, self._sandbox.resources)

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended by itself; return how, as `Popen.returncode` has it, or None if nobody knows."""
        try:
            status = self._warm.wait_for_candidate(seconds)
        except WarmProcessLost:
            return None
        self._has_ended, self._is_of_use = True, self._warm.forks
        return status

    def end(self) -> bool:
        """Kill it with everything below it, unless it has ended; return whether the warm process is still of use."""
        if self._has_ended:
            return self._is_of_use
        self._has_ended = True
        try:
            self._warm.kill_candidate()
            self._warm.wait_for_candidate()
        except WarmProcessLost:
            self._kill()
        else:
            self._is_of_use = self._warm.forks
        return self._is_of_use

    def _kill(self) -> None:
        """The same from here, where the warm process cannot do it any more."""
        below: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            below = self._process.children(recursive=True) if self._process is not None else []
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
