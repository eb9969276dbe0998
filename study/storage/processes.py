"""Which process this is, and whether another one still lives: as far as one host can tell."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from pathlib import Path

import psutil


def host() -> str:
    """Where process numbers mean the same: this boot of this kernel and this namespace of processes.

    Two containers of one machine have numbers of their own; a machine that was started anew has none left from before.
    """
    if platform.system() == "Linux":
        with contextlib.suppress(FileNotFoundError, PermissionError):  # a sandbox may hide them
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def started(pid: int | None = None) -> float | None:
    """When a process of this host began (this one by default); None if there is none with this number.

    The unit is the platform's: on Linux ticks since boot, which no correction of the clock changes.
    """
    pid = os.getpid() if pid is None else pid
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:  # dead, only its parent has not asked yet
            return None
        if platform.system() == "Linux":
            after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2]
            return float(after_name.split()[19])
        return process.create_time()
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


def alive(pid: int, began: float) -> bool:
    """Whether the very process that began then still runs on this host."""
    now = started(pid)
    return now is not None and abs(now - began) < 1.0
