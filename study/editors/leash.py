"""Starts a user's command and has it watched: it must not outlive the worker, however that one dies.

A script of its own, run by `sys.executable -I -S leash.py FD SECONDS COMMAND` at the head of a new session. It leaves a
watcher in the command's process group and becomes the command. A worker that is killed with SIGKILL can clean nothing up, but
its end of the pipe is closed all the same; and the group of a process that belongs to it cannot be anybody else's.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_LONGEST = 1e7  # seconds: more a select does not take everywhere
_DEAF_TO = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)  # which the command may send to its group


def main(pipe: int, seconds: float, command: str) -> None:
    """Become `sh -c COMMAND`, killed with its whole group when the pipe's other end is closed or the time is up."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF_TO)  # for the watcher, from its first moment on
    child = os.fork()
    if child == 0:
        if os.fork() == 0:  # not a child of the command, which may wait for all that it has
            _watch(pipe, seconds)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(pipe)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    os.execvp("sh", ["sh", "-c", command])


def _watch(pipe: int, seconds: float) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)  # whoever reads the command's output shall not wait for the watcher
    os.dup2(nowhere, 2)
    select.select([pipe], [], [], min(seconds, _LONGEST))
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
