"""Root's special powers, laid down: a container's root is root all the same."""

from __future__ import annotations

import ctypes
import os

from autoresearch.errors import SandboxError

_VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, of linux/capability.h: two words of 32 bits in each set


def drop_capabilities() -> None:
    """Give up all capabilities for good: with no_new_privs, which Landlock and seccomp set, no program gives them back."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0:
        raise SandboxError(f"capabilities cannot be dropped: {os.strerror(ctypes.get_errno())}")
