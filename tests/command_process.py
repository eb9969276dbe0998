"""The command line, served in forks: a job has the arguments, the environment, the working directory, and the files for what
is printed.
"""

from __future__ import annotations

import os
import signal
import sys

from autoresearch import trial  # noqa: F401
from autoresearch.study import doctor, optimize  # noqa: F401
from autoresearch.study.cli import main as command_line
from autoresearch.study.editors import anthropic  # noqa: F401

from .forks import Job, serve

_LONGEST = 400  # seconds; after that SIGALRM ends it


def run(job: Job) -> int:
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


if __name__ == "__main__":
    serve(run)
