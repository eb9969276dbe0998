"""How much of the machine a candidate may use.

The kernel holds what it can hold for each process (`Resources.impose`). The rest is about all of a candidate's processes
together, and is watched from outside (`excess`): memory, since a limit on address space breaks CUDA, which reserves far
more than it uses; and the number of processes, since the kernel's own limit counts a user's and not a candidate's, and
does not count root's at all.
"""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass, field
from pathlib import Path

import psutil

GIB = 2**30
_SHARE_OF_MEMORY = 0.9  # of the machine's; the rest is the worker's and the system's
_RESERVE = GIB // 2
_LEAST_ON_DISK = 4096  # bytes, of a file that is empty, so that their number has a limit, too
_DEEPEST = 100  # folders; a path has a longest length, beyond which nobody would see what lies there


def memory_here() -> int:
    """The machine's memory in bytes, or what this container may use of it."""
    found = [psutil.virtual_memory().total]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of control groups, version 2 and 1
        with contextlib.suppress(OSError, ValueError):  # there is none, or it is "max"
            found.append(int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii")))
    return min(found)


def _memory() -> int:
    total = memory_here()
    return max(total // 2, min(int(_SHARE_OF_MEMORY * total), total - _RESERVE))


@dataclass(frozen=True)
class Resources:
    """The limits of one candidate with all that it starts."""

    memory_bytes: int = field(default_factory=_memory)
    processes: int = 256  # torch's compiler starts up to 32
    threads: int = 4096  # OpenMP starts one for each core, in each process
    open_files: int = 4096
    file_bytes: int = 4 * GIB
    folder_bytes: int = 8 * GIB

    def impose(self, others: int) -> None:
        """Have the kernel hold what it can, for this process and all that it will start; there is no way back.

        Args:
            others: How many tasks this user has that are no candidate's (`tasks_of_user`): the kernel counts them, too.
        """
        for kind, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_NPROC, others + 2 * self.threads),  # in case there are other workers
        ):
            _, hard = resource.getrlimit(kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (least, least))


def tasks_of_user() -> int:
    """How many threads this user's processes have, all together."""
    user, found = os.getuid(), 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == user:
                found += process.num_threads()
    return found


def excess(candidate: psutil.Process, folder: Path, resources: Resources) -> str | None:
    """Which limit a candidate has exceeded, in words; None where it has kept them all, or has ended.

    Args:
        candidate: Its process, as seen from here.
        folder: Where it may write; what its files take up on the disk counts.
        resources: The limits.
    """
    try:
        processes = [candidate, *candidate.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    if len(processes) > resources.processes:
        return f"{len(processes)} processes; the limit is {resources.processes}"
    threads, memory = _use(processes)
    if threads > resources.threads:
        return f"{threads} threads; the limit is {resources.threads}"
    if memory > resources.memory_bytes:
        return f"{memory / GIB:.1f} GiB of memory; the limit is {resources.memory_bytes / GIB:.1f}"
    return _excess_of_files(folder, resources.folder_bytes)


def _use(processes: list[psutil.Process]) -> tuple[int, int]:
    """Threads and bytes of memory. What a process shares (libraries, the slate) counts once, not for each of them."""
    threads = own = shared = 0
    for process in processes:
        with contextlib.suppress(psutil.Error), process.oneshot():
            memory = process.memory_info()
            threads += process.num_threads()
            own += memory.rss - memory.shared
            shared = max(shared, memory.shared)
    return threads, own + shared


def _excess_of_files(folder: Path, most: int) -> str | None:
    """Look through a folder, which may change meanwhile, until more than `most` bytes are found; no link is followed."""
    total, waiting = 0, [(folder, 0)]
    while waiting:
        inner, depth = waiting.pop()
        if depth > _DEEPEST:
            return f"folders in folders, {depth} deep; the limit is {_DEEPEST}"
        with contextlib.suppress(OSError), os.scandir(inner) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((Path(entry.path), depth + 1))
                    total += max(_LEAST_ON_DISK, 512 * entry.stat(follow_symlinks=False).st_blocks)
                if total > most:
                    return f"more than {most / GIB:.1f} GiB in its folder"
    return None
