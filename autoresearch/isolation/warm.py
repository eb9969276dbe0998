"""The warm process (`python -m autoresearch.isolation.warm`): imports everything once, then forks a candidate for each job.

It runs no torch operation and starts no thread or CUDA, since none of these survives a fork. It holds no secret (see
`environment.py`) and never sees what a job is about: a fork talks to the supervisor over a socket of its own. When the
supervisor dies, so does everything below this process.

Where a fork after such imports is not safe (macOS), it does one job itself and ends (`--once`).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import psutil

from autoresearch.sandbox.capabilities import open_to_others
from autoresearch.sandbox.enclosure import SHARED_MEMORY, Enclosure

from .channel import Channel
from .priority import give_way

_PR_SET_CHILD_SUBREAPER = 36
MAX_DESCRIPTORS = 4


def main(arguments: list[str]) -> None:
    """Serve jobs until the supervisor is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    control = Channel(socket.socket(fileno=int(arguments[0])))
    enclosure, background = _enclosure(arguments), "--background" in arguments
    _preload(compiles="--eager" not in arguments, rehearse="--rehearse" in arguments)
    if enclosure is not None:
        open_to_others(False)  # its forks run what nobody has read, and shall not write into its memory
    if "--once" in arguments:
        _serve_one(control, enclosure, background)
    _adopt_orphans()
    gc.collect()
    gc.freeze()  # a collection in a fork would write to, and so copy, every page that holds an object
    _Warm(control, enclosure, background).serve()


def _enclosure(arguments: list[str]) -> Enclosure | None:
    """What each candidate does to itself; None without a sandbox."""
    if "--enclosure" not in arguments:
        return None
    return Enclosure.from_json(arguments[arguments.index("--enclosure") + 1])


def _preload(compiles: bool, rehearse: bool) -> None:
    """Import what a trial imports, and what torch's compiler imports when it is first used: together some 5 s."""
    from . import candidate, preloaded  # noqa: F401

    preloaded.preload(preloaded.DECORATED)
    if compiles:
        preloaded.preload(preloaded.COMPILED)
    if rehearse:
        preloaded.rehearse()


def _adopt_orphans() -> None:
    """Become the parent of what a candidate leaves behind, wherever it tried to hide."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def receive_job(control: Channel, message: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `run_job`: descriptors come behind the message that announces them."""
    _, descriptors, _, _ = socket.recv_fds(control.socket, 1, MAX_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    channel, log, *memory = descriptors
    folder, compiles = Path(message["folder"]), bool(message["compiles"])
    return {"folder": folder, "channel": channel, "log": log, "memory": memory, "compiles": compiles}


def _serve_one(control: Channel, enclosure: Enclosure | None, background: bool) -> NoReturn:
    from .candidate import run_job

    try:
        control.send({"said": "ready", "pid": os.getpid()})
        job = receive_job(control, control.receive())
        control.send({"said": "started", "pid": os.getpid()})
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit()
    if background:
        give_way()
    run_job(enclosure=enclosure, **job)


class _Warm:
    """Forks, reaps, and kills; one job at a time."""

    def __init__(self, control: Channel, enclosure: Enclosure | None, background: bool) -> None:
        self._control, self._enclosure, self._background = control, enclosure, background
        self._child: int | None = None
        self._shared = _in_shared_memory(enclosure)
        self._wake, wake = socket.socketpair()
        for end in (self._wake, wake):
            end.setblocking(False)
        self._wake_writer = wake

    def serve(self) -> None:
        """Until the supervisor is gone."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(self._control.socket, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        try:
            self._control.send({"said": "ready", "pid": os.getpid()})
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._control.socket:
                        self._obey(self._control.receive())
                    else:
                        self._wake.recv(4096)
                        self._look_after_child()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._sweep()
            os._exit(0)  # to take apart all that was imported would take seconds

    def _obey(self, message: dict[str, Any]) -> None:
        if message["do"] == "start":
            job = receive_job(self._control, message)
            self._child = os.fork()
            if self._child == 0:
                self._become_candidate(job)
            for descriptor in (job["channel"], job["log"], *job["memory"]):
                os.close(descriptor)
            self._control.send({"said": "started", "pid": self._child})
        elif self._child is not None:  # "kill"
            self._end_child()

    def _become_candidate(self, job: dict[str, Any]) -> NoReturn:
        from .candidate import run_job

        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._control, self._wake, self._wake_writer):
            end.close()
        if self._background:
            give_way()
        run_job(enclosure=self._enclosure, **job)

    def _look_after_child(self) -> None:
        if self._child is None:
            return
        # Not reaped yet: as long as it is not, its number and its group's belong to nobody else.
        if os.waitid(os.P_PID, self._child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._end_child()

    def _end_child(self) -> None:
        status = self._sweep()
        self._child = None
        self._control.send({"said": "ended", "status": status})
        if _in_shared_memory(self._enclosure) - self._shared:
            os._exit(0)  # what was left there is not for the next candidate, and another namespace has another /dev/shm

    def _sweep(self) -> int | None:
        """Kill and reap everything below this process; return how the candidate ended, as `Popen.returncode` has it."""
        ended = None
        while True:
            if self._child is not None and ended is None:
                _kill_group(self._child)
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return ended
            if pid == self._child:
                ended = os.waitstatus_to_exitcode(status)


def _in_shared_memory(enclosure: Enclosure | None) -> set[Path]:
    """What lies in /dev/shm, where a candidate may write there."""
    return set(SHARED_MEMORY.iterdir()) if enclosure is not None and enclosure.private else set()


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # too young to have made one
        os.killpg(leader, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
