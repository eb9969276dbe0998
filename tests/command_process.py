"""The command line in forks of one process that has imported everything: a process of its own would take seconds for that.

Reads jobs from stdin, one JSON object a line: the arguments, the environment, the working directory, and the files for what is
printed. The answer is a line with the exit code as `Popen.returncode` has it. What forks share, and a process of its own does
not, is what was imported; how a command starts, ends by a signal or behaves on a terminal is tested without this.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import traceback
from typing import Any

from autoresearch import trial  # noqa: F401
from autoresearch.isolation import preloaded
from autoresearch.study import doctor, optimize  # noqa: F401
from autoresearch.study.cli import main as command_line
from autoresearch.study.editors import anthropic  # noqa: F401

_LONGEST = 400  # seconds; after that SIGALRM ends it


def run(job: dict[str, Any]) -> int:
    """Be the command; returns its exit code."""
    signal.alarm(_LONGEST)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, path in ((1, job["out"]), (2, job["err"])):
        os.dup2(os.open(path, os.O_WRONLY), stream)
    sys.argv = ["autoresearch", *job["arguments"]]
    try:
        command_line()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def be(job: dict[str, Any]) -> None:
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


def main() -> None:
    """Until stdin ends."""
    preloaded.preload(preloaded.DECORATED)
    gc.collect()
    gc.freeze()  # else each fork's collections would copy every page that holds an object
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            be(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
