"""Words for a candidate that ended without an answer."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

from autoresearch.errors import OutOfMemory, TrialError

from .log_size import log_size
from .messages import MAX_TAIL, printable

_FAULT = "Fatal Python error: "  # Python's fault handler begins so, names the innermost frame first, and ends at length


def obituary(status: int | None, log: Path, oom_kills_before: int | None) -> TrialError:
    """The error for a process that ended by itself.

    Args:
        status: As `Popen.returncode` has it; None where it is not known.
        log: What it printed.
        oom_kills_before: `oom_kills()` when it was started.
    """
    tail = log_tail(log)
    if status == -signal.SIGKILL:
        before, now = oom_kills_before, oom_kills()
        if before is not None and now is not None and now > before:
            return OutOfMemory(
                "out of memory: the kernel killed the process; a smaller device_batch_size needs less memory", tail
            )
        return TrialError("the process was killed by SIGKILL, perhaps for want of memory; see its log", tail)
    if status is None:
        return TrialError("the process went silent without an answer; how it ended is not known; see its log", tail)
    if status < 0:
        return TrialError(f"the process was killed by {signal.Signals(-status).name}; see its log", tail)
    return TrialError(f"the process ended with exit code {status} before it had answered; see its log", tail)


def log_tail(log: Path) -> str:
    """The end of what a candidate printed."""
    if not log_size(log):
        return ""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8 * MAX_TAIL))
        text = printable(file.read().decode("utf-8", "replace"))
    fatal = text.rfind(_FAULT)
    return text[-MAX_TAIL:] if fatal < 0 else text[fatal:][:MAX_TAIL]


def oom_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since it started; None where it does not say."""
    path = Path("/proc/vmstat")
    if sys.platform != "linux" or not path.exists():
        return None
    found = re.search(r"^oom_kill (\d+)$", path.read_text(encoding="ascii"), re.MULTILINE)
    return int(found.group(1)) if found else None
