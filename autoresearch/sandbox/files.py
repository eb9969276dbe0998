"""Which files a process may open: Landlock, which any process may ask the kernel for, root or not.

The rules come from `landlockpy`, which leaves out nothing in silence once `best_effort` is off. Two other libraries were
looked at: `sandlock` does this in a running process only from Landlock 6 on (Linux 6.12), and without the network or any
other seccomp rule; `landlock` has not left its development release.

From Landlock 3 on (Linux 6.2) all writing can be refused; what later versions add is used where it is there. Landlock says
nothing about owners, modes and attributes of files, nor about most sockets: `syscalls.py` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from landlockpy import (
    AccessFS,
    LandlockError,
    Ruleset,
    UnsupportedError,
    abi_version,
    fs_for_abi,
    net_for_abi,
    scope_for_abi,
)

from autoresearch.errors import SandboxError

LEAST = 3  # before it, a file that may be read may also be truncated
_SIGNALS = 6  # from here on, no process outside can be sent a signal

LIST = AccessFS.READ_DIR
READ = AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.EXECUTE
# No links, pipes, or devices: who reads the folder afterwards shall find files in it.
WRITE = READ | (
    AccessFS.WRITE_FILE
    | AccessFS.TRUNCATE
    | AccessFS.MAKE_REG
    | AccessFS.MAKE_DIR
    | AccessFS.MAKE_SOCK
    | AccessFS.REMOVE_FILE
    | AccessFS.REMOVE_DIR
    | AccessFS.REFER
)
OVERWRITE = AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.WRITE_FILE | AccessFS.TRUNCATE
DEVICE = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV
_OF_A_FILE = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.EXECUTE | AccessFS.TRUNCATE | AccessFS.IOCTL_DEV

Rule = tuple[Path, AccessFS]


def landlock_version() -> int:
    """Of the kernel; 0 where there is none."""
    try:
        return abi_version()
    except UnsupportedError:
        return 0


def has_signal_scope(version: int) -> bool:
    """Whether Landlock of this version keeps a process from signalling those outside."""
    return version >= _SIGNALS


def restrict_files(rules: Iterable[Rule]) -> None:
    """Allow this process, and all that it will start, these files and nothing else; there is no way back.

    From Landlock 4 on it may use no TCP port either, and from 6 on reach no abstract socket, and signal no process, outside.

    Raises:
        SandboxError: The kernel is too old, or a rule cannot be made.
    """
    version = landlock_version()
    if version < LEAST:
        raise SandboxError(f"the kernel has Landlock {version}; expected {LEAST} or later (Linux 6.2)")
    every = fs_for_abi(version)
    try:
        with Ruleset(
            handled_fs=every, handled_net=net_for_abi(version), scoped=scope_for_abi(version), best_effort=False
        ) as ruleset:
            for path, access in rules:
                granted = access if path.is_dir() else access & _OF_A_FILE
                ruleset.allow_path(path, granted & every)
            ruleset.restrict()
    except (LandlockError, UnsupportedError, OSError) as error:
        raise SandboxError(f"Landlock's rules cannot be made: {error}") from error


def rules_of_proc(whole: bool) -> list[Rule]:
    """What a process may see of /proc.

    Args:
        whole: All of it, as needed by who looks after other processes and by what their threads are called. Else the
            machine's figures, and the process itself: CUDA does not start where it cannot name its threads.
    """
    if whole:
        return [(Path("/proc"), OVERWRITE)]
    own = Path("/proc", str(os.getpid()))
    # As long as these are open, the kernel does not forget which folders the rules are about.
    for folder in (own, own / "task"):
        os.open(folder, os.O_PATH | os.O_CLOEXEC)
    figures = ("cpuinfo", "devices", "driver", "filesystems", "loadavg", "meminfo", "modules", "stat", "sys", "version")
    return [
        (own, AccessFS.READ_FILE | AccessFS.READ_DIR),
        (own / "task", OVERWRITE),
        *((path, AccessFS.READ_FILE | AccessFS.READ_DIR) for name in figures if (path := Path("/proc", name)).exists()),
    ]
