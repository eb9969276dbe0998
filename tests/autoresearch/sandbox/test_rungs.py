"""What holds on every rung, and what must work on every rung."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autoresearch.sandbox.pids import outside_pid
from autoresearch.sandbox.resources import Resources

from .conftest import Study

GONE = (errno.EACCES, errno.ENOENT, errno.EPERM, errno.EROFS)


def test_it_writes_in_its_own_folder_and_nowhere_else(study: Study, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("before", encoding="ascii")
    code = """
Path("mine").write_text("mine")
os.rename("mine", "still-mine")
outside = [Path(path) for path in sys.argv[3:]]
print(json.dumps([refused(path.write_text, "changed") for path in outside]))
"""
    refusals = study.run(
        code, outside, study.other, tmp_path / "new", "/dev/shm/../new", "/usr/new", "/proc/sys/kernel/core_pattern"
    )
    assert all(refusal in GONE for refusal in refusals), refusals
    assert (study.trial / "still-mine").read_text(encoding="ascii") == "mine"
    assert (outside.read_text(encoding="ascii"), study.other.read_text(encoding="ascii")) == (
        "before",
        "another trial's",
    )


def test_it_reads_what_it_was_handed_and_nothing_else(study: Study, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret", encoding="ascii")
    code = """
assert len(Path(os.__file__).read_text()) > 0
print(json.dumps([refused(Path(path).read_bytes) for path in sys.argv[3:]]))
"""
    checkout = Path(__file__).parents[3]
    refusals = study.run(
        code, outside, study.other, "/etc/shadow", checkout / "pyproject.toml", f"/proc/{os.getpid()}/maps"
    )
    assert all(refusal in GONE for refusal in refusals), refusals


def test_no_socket_reaches_anybody(study: Study) -> None:
    code = """
import socket
def connect(*arguments):
    with socket.socket(*arguments) as end:
        end.connect(("127.0.0.1", int(sys.argv[3])))
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"x", ("127.0.0.1", int(sys.argv[3])))
def local():
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(sys.argv[4])
print(json.dumps([
    refused(connect), refused(connect, socket.AF_INET6), refused(datagram), refused(local),
    refused(socket.socket, socket.AF_UNIX, socket.SOCK_DGRAM), refused(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW),
    refused(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM),
]))
"""
    name = f"\0autoresearch-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(name)
        local.listen()
        refusals = study.run(code, server.getsockname()[1], name.replace("\0", "@"))
    assert all(refusals), refusals


def test_what_cuda_does_at_its_start_works(study: Study) -> None:
    code = """
import socket, threading
end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
end.bind(f"\\0cuda-uvmfd-test-{os.getpid()}")
end.listen(16)
os.close(os.memfd_create("test"))
def name_thread():
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("named")
    Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/comm").write_text("again")
named = []
thread = threading.Thread(target=lambda: named.append(refused(name_thread)))
thread.start()
thread.join()
print(json.dumps(named))
"""
    assert study.run(code) == [0]


def test_what_it_was_handed_open_stays_open(study: Study) -> None:
    ours, theirs = socket.socketpair()
    memory = os.memfd_create("slate")
    code = """
import socket
os.pwrite(int(sys.argv[4]), b"logits", 0)
socket.socket(fileno=int(sys.argv[3])).sendall(b"hello")
print("null")
"""
    with ours, theirs:
        study.run(code, theirs.fileno(), memory, descriptors=(theirs.fileno(), memory))
        assert ours.recv(100) == b"hello"
    assert os.pread(memory, 100, 0) == b"logits"
    os.close(memory)


def test_its_folder_holds_nothing_but_files(study: Study) -> None:
    code = """
Path("file").write_text("")
print(json.dumps([
    refused(os.symlink, "/etc/passwd", "link"), refused(os.mkfifo, "pipe"), refused(os.chmod, "file", 0o777),
    refused(os.link, "/etc/passwd", "hard"), refused(os.setxattr, "file", "user.x", b"x"),
]))
"""
    assert all(study.run(code))
    assert [path.name for path in study.trial.iterdir()] == ["file"]


def test_what_it_starts_is_held_as_well(study: Study) -> None:
    code = """
import subprocess
tried = [sys.executable, "-I", "-c", "import sys; open(sys.argv[1])", sys.argv[3]]
works = [sys.executable, "-I", "-c", "open('child', 'w')"]
print(json.dumps([subprocess.run(tried, capture_output=True).returncode, subprocess.run(works).returncode]))
"""
    assert study.run(code, study.other) == [1, 0]


def test_root_is_no_root_in_there_and_makes_no_namespace(study: Study) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
status = Path("/proc/self/status").read_text()
capabilities = [line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapPrm"))]
new_user = 0x10000000
print(json.dumps([*capabilities, libc.unshare(new_user), libc.syscall(56, new_user | 17, 0, 0, 0, 0)]))
"""
    if os.uname().machine != "x86_64":
        pytest.skip("the number of `clone` is x86's")
    effective, permitted, unshared, cloned = study.run(code)
    assert (int(effective, 16), int(permitted, 16), unshared, cloned) == (0, 0, -1, -1)


def test_it_signals_nobody_but_its_own(study: Study) -> None:
    code = """
import signal, subprocess
child = subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE)
own = refused(os.kill, child.pid, signal.SIGTERM)
outside = [refused(os.kill, int(pid), 0) for pid in sys.argv[3:]]
print(json.dumps([own, *outside]))
"""
    own, *outside = study.run(code, os.getpid(), os.getppid())
    assert own == 0
    assert all(outside), outside


def test_its_number_outside_can_be_found(study: Study) -> None:
    with study.start("print(os.getpid(), flush=True); input()") as process:
        assert process.stdout is not None
        inside = int(process.stdout.readline())
        found = outside_pid(inside, process.pid)
        assert found is not None
        assert str(study.trial) in psutil.Process(found).cmdline()
        assert psutil.Process(found).name().startswith("python")
        process.kill()


def test_with_the_process_that_was_started_all_of_it_ends(study: Study) -> None:
    code = """
import subprocess
subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(1e6)"], start_new_session=True)
print(os.getpid(), flush=True)
import time; time.sleep(1e6)
"""
    if study.rung.name.startswith("Landlock"):
        pytest.skip("there is no namespace; the process that starts candidates ends what they leave behind")
    with study.start(code) as process:
        assert process.stdout is not None
        process.stdout.readline()
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 3
        process.kill()
        _, alive = psutil.wait_procs(below, timeout=30)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def test_the_kernel_holds_its_limits(limited: Callable[[Resources], Study]) -> None:
    study = limited(Resources(file_bytes=2**20, open_files=64))
    code = """
import resource
def too_much():
    with open("file", "wb") as file:
        file.write(bytes(2**21))
def too_many():
    for _ in range(100):
        os.open(os.devnull, os.O_RDONLY)
print(json.dumps([refused(too_much), refused(too_many), resource.getrlimit(resource.RLIMIT_CORE)[1]]))
"""
    assert study.run(code) == [errno.EFBIG, errno.EMFILE, 0]
