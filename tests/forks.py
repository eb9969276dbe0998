"""Runs jobs in forks of one process that has imported everything: a process of its own would take seconds for that.

A script hands `serve` its function and is started by `Forks`. What forks share, and a process of its own does not, is what was
imported; how a command starts, ends by a signal or behaves on a terminal is tested without this.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = dict[str, Any]
_ROOT = Path(__file__).parents[1]


class Forks:
    """A script that serves jobs, one at a time.

    Args:
        module: Its name, as `tests.command_process`.
    """

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", module]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT)

    def run(self, job: Job) -> int:
        """The exit code of a job, as `Popen.returncode` has it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End with the last of them."""
        self._process.communicate(timeout=60)  # closes its stdin, which ends it


def serve(run: Callable[[Job], int]) -> None:
    """Run jobs until stdin ends.

    Args:
        run: Is called in a fork of its own; returns its exit code.
    """
    from autoresearch.isolation import preloaded  # in the script, and not in whoever starts it

    preloaded.preload(preloaded.DECORATED)
    gc.collect()
    gc.freeze()  # else each fork's collections would copy every page that holds an object
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _be(run, json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be(run: Callable[[Job], int], job: Job) -> None:
    """Run it as an interpreter does from its first to its last moment; does not return."""
    code = 1
    try:
        code = run(job)
    except BaseException:  # noqa: BLE001 -- whatever it is, it must not go on as the parent
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
