"""The powers of one process over others: root's, laid down; and those of its user's other processes over this one."""

from __future__ import annotations

import ctypes
import os

from autoresearch.errors import SandboxError

_PR_SET_DUMPABLE = 4
_VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, of linux/capability.h: two words of 32 bits in each set


def drop_capabilities() -> None:
    """Give up all capabilities (a container's root is root) for good: with no_new_privs, which Landlock and seccomp set, no program gives them back."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc().capset(header, nothing) != 0:
        raise SandboxError(f"capabilities cannot be dropped: {os.strerror(ctypes.get_errno())}")


def open_to_others(is_open: bool) -> None:
    """Whether processes of the same user, and without special powers, may read and write this one's memory.

    It is inherited by a fork, which should be open again: a process that is not may not even name its own threads.
    """
    if _libc().prctl(_PR_SET_DUMPABLE, int(is_open), 0, 0, 0) != 0:
        raise SandboxError(f"this process cannot be kept to itself: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
