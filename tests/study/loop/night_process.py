"""A worker for tests to kill: reads jobs from stdin, one JSON object a line, and runs each in a fork of its own.

A fork, because importing torch takes longer than the trials of these tests. A job names the storage, the request, and
the point of the ledger (and which of its occurrences, counting from 1) at which the worker kills itself with SIGKILL;
the point `any` counts all of them. The answer is a line with the exit code as `Popen.returncode` has it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from autoresearch.study.display import Plain
from autoresearch.study.interrupts import Interrupts
from autoresearch.study.optimize import open_bench, work
from autoresearch.study.request import Request
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study


def run(job: dict[str, Any]) -> None:
    seen = 0

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
    with Interrupts() as interrupts, open_bench(ledger, request, watch) as bench:
        work(ledger, bench, request, name, interrupts, watch)
    ledger.end_run(name)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
