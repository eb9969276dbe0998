"""Which process it is that bears a number in a namespace of its own: to kill or to watch that number would hit another."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil


def outside_pid(inside: int, ancestor: int) -> int | None:
    """The number, as it is here, of a process that the sandbox calls `inside`; None where it has ended.

    Args:
        inside: Its number in there. Where processes have no namespace of their own it is the same here.
        ancestor: The process that the sandbox was started as.
    """
    try:
        top = psutil.Process(ancestor)
        numbers = {process.pid: _numbers(process.pid) for process in [top, *top.children(recursive=True)]}
    except psutil.NoSuchProcess:
        return None
    depth = max(map(len, numbers.values()))  # nobody in there can make another namespace
    if depth <= 1:  # no namespace of their own, or no /proc to see one in
        return inside if psutil.pid_exists(inside) else None
    return next((pid for pid, names in numbers.items() if len(names) == depth and names[-1] == inside), None)


def _numbers(pid: int) -> list[int]:
    """A process's numbers from this namespace down to its own."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return [int(word) for word in line.split()[1:]]
    return []
