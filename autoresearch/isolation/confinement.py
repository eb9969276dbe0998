"""What a candidate's process does to itself before it runs a line of a revision."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from autoresearch.sandbox.capabilities import open_to_others
from autoresearch.sandbox.enclosure import Enclosure

from .job import SCRATCH
from .kernels import COMPILED
from .priority import keep_giving_way


def confine(folder: Path, log: int, compiles: bool, enclosure: Enclosure | None) -> None:
    """Leave the supervisor's session and terminal, move into the trial's folder, and print to its log alone.

    A group of its own is what makes the whole process tree one thing to kill.

    Args:
        folder: The trial's, the one place where it may write.
        log: What it prints.
        compiles: Whether its compilers may use several processes, which share memory by name.
        enclosure: The sandbox.
    """
    if enclosure is not None:
        open_to_others(True)  # as a fork it is not, and then may not even write to its own files below /proc
    if os.getsid(0) != os.getpid():  # one that was started for this job alone leads a session from the start
        os.setsid()
    keep_giving_way()
    os.chdir(folder)
    _redirect(log)
    scratch = folder / SCRATCH
    compiled, shared = scratch / COMPILED, Path(os.environ["HOME"])
    compiled.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"], tempfile.tempdir = str(scratch), None
    # It finds nothing that others have left but what `kernels.py` hands out, and leaves nothing for others.
    os.environ["HOME"] = str(compiled)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(compiled / "inductor")
    os.environ["TRITON_CACHE_DIR"] = str(compiled / "triton")
    if not compiles:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        enclosure = None if enclosure is None else replace(enclosure, private=False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    faulthandler.enable(all_threads=False)  # a segmentation fault leaves its traceback in the log
    if sys.platform == "linux":
        # When memory runs out, the kernel shall take the candidate and neither the worker nor its database. Not every
        # container lets a process ask for that.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if enclosure is not None:
        enclosure.enter([folder], readable=[shared] if compiles and shared.is_dir() else [])


def _redirect(log: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
