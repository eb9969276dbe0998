"""Which requests to the kernel a candidate is refused: seccomp, through `seccompy`.

That library writes the filter itself, where the others need the system's libseccomp. What is refused here is what
Landlock leaves open: the network, other processes, owners and modes of files, new namespaces. A list of what is allowed
would be stricter, and would break with the next version of torch or of a driver. CUDA needs `memfd_create`, and to bind
and listen on an abstract socket of type SEQPACKET: all three are allowed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import socket
from collections.abc import Iterable

from seccompy import ArgCmp, CmpOp, Filter, SeccompError, UnsupportedError, supported, syscall_nr

from autoresearch.errors import SandboxError

# fmt: off
_CALLS = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise", "perf_event_open", "bpf", "userfaultfd",
    "add_key", "request_key", "keyctl",
    "connect",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_by_handle_at", "name_to_handle_at",
    "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "move_mount", "mount_setattr",
    "symlinkat", "mknodat",
    "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",
    "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    "shmget", "shmat", "semget", "msgget", "mq_open",
    "init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon", "swapoff", "acct", "syslog",
)
# fmt: on
_ONLY_ON_X86 = ("chmod", "chown", "lchown", "symlink", "mknod")
_BY_NUMBER = (463, 466, 467, 469)  # setxattrat, removexattrat, open_tree_attr, file_setattr; the same on every machine

# The x32 way to call the kernel goes by the same architecture, and so past a filter that knows only the usual numbers:
# a bit is set, and some calls have another number (arch/x86/entry/syscalls/syscall_64.tbl). These are refused altogether.
_X32 = 0x40000000
_OWN_ON_X32 = range(512, 548)

_LOW_WORD = 0xFFFFFFFF  # of an argument that the kernel takes for an int
_TYPE = 0xF  # of a socket, without its flags
_F_SETOWN_EX, _FIOSETOWN, _SIOCSPGRP = 15, 0x8901, 0x8902  # of asm-generic/fcntl.h and sockios.h
_NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)  # CLONE_NEW*


def restrict_syscalls(signals: bool) -> None:
    """Refuse this process, and all that it will start, the calls of this module; there is no way back.

    Args:
        signals: Whether to refuse signals to any process but this one as well, its own children among them: for where
            neither Landlock nor a namespace draws the line better.

    Raises:
        SandboxError: The kernel does not do it.
    """
    filtered = Filter()
    for name in [*_CALLS, *(_ONLY_ON_X86 if _is_x86() else ())]:
        _refuse(filtered, name)
    for number in [*_BY_NUMBER, *(number | _X32 for number in _OWN_ON_X32 if _is_x86())]:
        filtered.errno(number, errno.EPERM)
    _refuse_sockets(filtered)
    _refuse_namespaces(filtered)
    _refuse_limits_of_others(filtered)
    if signals:
        _refuse_signals(filtered)
    try:
        filtered.load()
    except (SeccompError, UnsupportedError, OSError) as error:
        raise SandboxError(f"seccomp's filter cannot be loaded: {error}") from error


def has_seccomp() -> bool:
    """Whether the kernel filters calls on a machine that the filter can be written for."""
    return platform.machine() in ("x86_64", "aarch64") and bool(supported())


def _refuse_sockets(filtered: Filter) -> None:
    """Allow what is local and connected when it is made: a datagram can be addressed to anybody at any time.

    (`SOCK_RAW` is another name for it. An address in `sendto` is of no use without it, and `connect` is refused.)
    """
    for name in ("socket", "socketpair"):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            _refuse(filtered, name, args=[ArgCmp(1, CmpOp.MASKED_EQ, int(kind), _TYPE)])
        _allow(filtered, name, [ArgCmp(0, CmpOp.MASKED_EQ, int(socket.AF_UNIX), _LOW_WORD)])
        _refuse(filtered, name)


def _refuse_namespaces(filtered: Filter) -> None:
    _refuse(filtered, "clone3", errno.ENOSYS)  # its flags are out of reach; libc goes on with `clone`
    for flag in _NAMESPACES:
        _refuse(filtered, "clone", args=[ArgCmp(0, CmpOp.MASKED_EQ, flag, flag)])


def _refuse_limits_of_others(filtered: Filter) -> None:
    """A process may set the limits of any other of its user's: one second of computing, say, after which it is killed."""
    for name in ("prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr"):
        for target in (0, os.getpid()):
            _allow(filtered, name, [ArgCmp(0, CmpOp.MASKED_EQ, target, _LOW_WORD)])
        _refuse(filtered, name)
    ours = [ArgCmp(index, CmpOp.MASKED_EQ, 0, _LOW_WORD) for index in (0, 1)]  # PRIO_PROCESS, this one
    _allow(filtered, "setpriority", ours)
    _refuse(filtered, "setpriority")
    _refuse(filtered, "ioprio_set")


def _refuse_signals(filtered: Filter) -> None:
    own = os.getpid()
    for target in (own, 0, -own & _LOW_WORD):  # itself, its group, the same by its number
        _allow(filtered, "kill", [ArgCmp(0, CmpOp.MASKED_EQ, target, _LOW_WORD)])
    for name in ("tgkill", "rt_tgsigqueueinfo", "rt_sigqueueinfo"):
        _allow(filtered, name, [ArgCmp(0, CmpOp.MASKED_EQ, own, _LOW_WORD)])
        _refuse(filtered, name)
    for name in ("kill", "tkill", "pidfd_send_signal"):
        _refuse(filtered, name)
    for command in (fcntl.F_SETOWN, fcntl.F_SETSIG, _F_SETOWN_EX):  # the owner of a file is signalled when it is ready
        _refuse(filtered, "fcntl", args=[ArgCmp(1, CmpOp.MASKED_EQ, command, _LOW_WORD)])
    for request in (_FIOSETOWN, _SIOCSPGRP):
        _refuse(filtered, "ioctl", args=[ArgCmp(1, CmpOp.MASKED_EQ, request, _LOW_WORD)])


def _refuse(filtered: Filter, call: str, error: int = errno.EPERM, args: Iterable[ArgCmp] = ()) -> None:
    for number in _numbers(call):
        filtered.errno(number, error, args=tuple(args))


def _allow(filtered: Filter, call: str, args: Iterable[ArgCmp]) -> None:
    for number in _numbers(call):
        filtered.allow(number, args=tuple(args))


def _numbers(call: str) -> list[int]:
    number = syscall_nr(call)
    return [number, number | _X32] if _is_x86() else [number]


def _is_x86() -> bool:
    return platform.machine() == "x86_64"
