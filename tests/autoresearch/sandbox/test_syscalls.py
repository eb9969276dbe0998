"""Where neither Landlock nor a namespace keeps signals in, seccomp does; and there is no way around it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

_BEFORE = """
import ctypes, json, os, signal
from autoresearch.sandbox.syscalls import restrict_syscalls
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    libc.syscall(*arguments)
    return ctypes.get_errno()
def kill(pid, number):
    try:
        os.kill(pid, number)
    except OSError as error:
        return error.errno
    return 0
restrict_syscalls(signals=True)
"""


def run(code: str) -> list[int]:
    command = [sys.executable, "-c", _BEFORE + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    answer: list[int] = json.loads(done.stdout)
    return answer


def test_a_process_can_signal_itself_and_its_group_alone() -> None:
    code = "print(json.dumps([kill(pid, 0) for pid in (os.getpid(), 0, -os.getpid(), os.getppid(), 1, -1)]))"
    assert run(code) == [0, 0, 0, errno.EPERM, errno.EPERM, errno.EPERM]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="it is a way of x86's")
def test_the_x32_numbers_are_refused_as_well() -> None:
    x32, socket, ptrace = 0x40000000, 41, 521
    code = f"print(json.dumps([call({x32 | socket}, 2, 1, 0), call({x32 | ptrace}, 0, 0, 0, 0)]))"
    assert run(code) == [errno.EPERM, errno.EPERM]


def test_io_uring_which_can_open_sockets_by_itself_is_refused() -> None:
    assert run("print(json.dumps([call(425, 1, 0)]))") == [errno.EPERM]


def test_the_upper_half_of_an_argument_hides_nothing() -> None:
    number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
    code = f"print(json.dumps([call({number}, ctypes.c_ulong(2**32 + 2), 1, 0), call({number}, ctypes.c_ulong(2**32 + 1), 1, 0)]))"
    assert run(code) == [errno.EPERM, 0]


def test_the_limits_of_others_are_refused_and_its_own_are_not() -> None:
    code = """
import resource
def limit(pid):
    try:
        resource.prlimit(pid, resource.RLIMIT_CPU, (1000, 1000))
    except OSError as error:
        return error.errno
    return 0
print(json.dumps([limit(0), limit(os.getpid()), limit(os.getppid())]))
"""
    assert run(code) == [0, 0, errno.EPERM]


def test_no_file_is_given_an_owner_who_would_be_signalled() -> None:
    code = """
import fcntl
reader, writer = os.pipe()
def own():
    try:
        fcntl.fcntl(reader, fcntl.F_SETOWN, os.getppid())
    except OSError as error:
        return error.errno
    return 0
print(json.dumps([own()]))
"""
    assert run(code) == [errno.EPERM]
