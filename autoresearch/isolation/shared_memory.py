"""Memory that two processes share: of a fixed size, without a name in any file system, handed on as a descriptor.

A container may give /dev/shm no more than 64 MiB; memory of this kind is not part of it. Pages that nobody has written to
take no room, so that it may be made larger than what will be needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shared_memory(size: int) -> Iterator[int]:
    """Make some; the descriptor is closed when the context is left."""
    descriptor = _anonymous_file(size)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def mapped(descriptor: int, size: int, *, writable: bool = True) -> mmap.mmap:
    """Map it into this process; the descriptor stays the caller's."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    return mmap.mmap(descriptor, size, access=access)


def allow_no_more_writing(descriptor: int) -> None:
    """Let nobody write to it any more; whoever could must be dead (Linux, elsewhere it does nothing).

    Raises:
        OSError: It is still mapped somewhere for writing.
    """
    if sys.platform == "linux":
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def _anonymous_file(size: int) -> int:
    if sys.platform != "linux":
        descriptor, path = tempfile.mkstemp(prefix="autoresearch-")
        os.unlink(path)  # noqa: PTH108 -- a path object has nothing to add
        os.ftruncate(descriptor, size)
        return descriptor
    descriptor = os.memfd_create("autoresearch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        # To read beyond the end of a mapped file kills the reader: nobody shall make it shorter.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    except OSError:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    return descriptor
