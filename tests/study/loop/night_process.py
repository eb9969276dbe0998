"""A worker for tests to kill, served in forks; its warm process is one, too.

A job names the storage, the request, further environment variables, and the point of the ledger (and which of its occurrences,
counting from 1) at which the worker kills itself with SIGKILL; the point `any` counts all of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import IO, Any

from autoresearch.isolation import candidate, warm  # noqa: F401 -- a candidate imports all that a trial needs
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.study.display import Plain
from autoresearch.study.editors import anthropic, voices  # noqa: F401 -- the SDK takes a second to import
from autoresearch.study.interrupts import Interrupts
from autoresearch.study.optimize import open_bench, work
from autoresearch.study.request import Request
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

from ...forks import Job, serve


class Forked:
    """A warm process that need not import anything: a fork of this one, in the clothes of a `subprocess.Popen`."""

    def __init__(
        self, command: list[str], env: dict[str, str], pass_fds: tuple[int], stderr: IO[bytes], **_: Any
    ) -> None:
        self.returncode: int | None = None
        errors = stderr.fileno()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.environ.clear()
            os.environ.update(env)
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(errors, 2)
            kept = pass_fds[0]
            os.closerange(3, kept)
            os.closerange(kept + 1, 4096)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            warm.main(command[command.index("autoresearch.isolation.warm") + 1 :])
            os._exit(0)

    def poll(self) -> int | None:
        if self.returncode is None and (done := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(done[1])
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or 1e9)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("warm", timeout or 0.0)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def run(job: Job) -> int:
    seen = 0
    os.environ.update(job["environment"])

    def observe(point: str) -> None:
        nonlocal seen
        seen += job["point"] in (point, "any")
        if job["point"] and seen == job["nth"]:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database.open(job["storage"], create=False)
    ledger = Ledger(database, open_study(database, None), observe=observe)
    request = Request(**job["request"])
    name = ledger.start_run({}, None, request.trials)
    watch = Plain(sys.stderr)
    supervisor = partial(Supervisor, start=Forked)
    with Interrupts() as interrupts, open_bench(ledger, request, watch, make_supervisor=supervisor) as bench:
        work(ledger, bench, request, name, interrupts, watch)
    ledger.end_run(name)
    return 0


if __name__ == "__main__":
    serve(run)
