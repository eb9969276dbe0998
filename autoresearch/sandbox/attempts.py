"""What a probe tries from inside a sandbox: what must not work there, and what must.

Each attempt is a function of what it is about. It raises where it is refused, and returns where it is not.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from .bait import Bait


def _connect(bait: Bait) -> None:
    with socket.create_connection(("127.0.0.1", bait.port), timeout=2):
        pass


def _connect_locally(bait: Bait) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(bait.local)


def _read_home(bait: Bait) -> None:
    _read(bait.home, bait.marker)


def _read_elsewhere(bait: Bait) -> None:
    _all_refused(partial(_read, path, bait.marker) for path in bait.elsewhere)


def _read_corpus(bait: Bait) -> None:
    assert bait.corpus is not None
    Path(bait.corpus).read_bytes()


def _read_sibling(bait: Bait) -> None:
    _read(bait.sibling, bait.marker)


def _write_elsewhere(bait: Bait) -> None:
    for path in map(Path, filter(None, (*bait.elsewhere, bait.home))):
        acts = (
            partial(path.write_text, "changed", encoding="ascii"),
            partial(path.with_name("new").write_text, "new", encoding="ascii"),
            partial(path.chmod, 0o666),
            partial(path.unlink),
        )
        _all_refused(acts)


def _write_sibling(bait: Bait) -> None:
    Path(bait.sibling).write_text("changed", encoding="ascii")


def _read_process(bait: Bait) -> None:
    _all_refused(partial(_read, f"/proc/{bait.victim}/{name}", bait.marker) for name in ("cmdline", "environ"))


def _end_process(bait: Bait) -> None:
    if bait.victim in (1, os.getpid(), os.getppid()):  # in a namespace of its own these numbers are somebody else's
        raise ProcessLookupError
    limit = (1, 1)  # a second of computing
    _all_refused(
        (partial(resource.prlimit, bait.victim, resource.RLIMIT_CPU, limit), partial(os.kill, bait.victim, 15))
    )


def _touch_parent(bait: Bait) -> None:
    memory = Path(f"/proc/{os.getppid()}/mem")
    _all_refused((partial(_open_for_writing, memory), partial(os.kill, os.getppid(), 0)))


def _open_for_writing(path: Path) -> None:
    with path.open("r+b"):
        pass


def _read_variable(bait: Bait) -> None:
    os.environ[bait.environment]


def _write_without_end(bait: Bait) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY:  # no disk takes so much, with or without a limit
        with Path("too-much").open("wb") as file:
            os.pwrite(file.fileno(), b"x", limit)


def _open_without_end(bait: Bait) -> None:
    opened = []
    try:
        for _ in range(2**16):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


FORBIDDEN: Mapping[str, Callable[[Bait], None]] = {
    "no network": _connect,
    "no local sockets": _connect_locally,
    "home not read": _read_home,
    "other folders not read": _read_elsewhere,
    "corpus not read": _read_corpus,
    "other folders not written": _write_elsewhere,
    "other trials not read": _read_sibling,
    "other trials not written": _write_sibling,
    "other processes not read": _read_process,
    "other processes not ended": _end_process,
    "the starter of trials not touched": _touch_parent,
    "environment clean": _read_variable,
    "file size limited": _write_without_end,
    "open files limited": _open_without_end,
}


def _write(cache: Path, device: str) -> None:
    for folder in (Path.cwd(), cache):
        (folder / "made").mkdir()
        (folder / "made" / "file.new").write_text("text", encoding="ascii")
        (folder / "made" / "file.new").rename(folder / "file")
        (folder / "file").unlink()
        (folder / "made").rmdir()


def _start_process(cache: Path, device: str) -> None:
    subprocess.run([sys.executable, "-I", "-c", ""], check=True, capture_output=True, timeout=60)


def _multiply(cache: Path, device: str) -> None:
    import torch

    ones = torch.ones(64, 64, device=device)
    assert float((ones @ ones).sum()) == 64**3


def _compile(cache: Path, device: str) -> None:
    import torch

    numbers = torch.ones(4096, device=device)
    assert float(torch.compile(lambda given: (given.square() + 1).sum())(numbers)) == 2 * 4096


# The last argument is torch's name of the device.
NEEDED: Mapping[str, Callable[[Path, str], None]] = {
    "its own folder": _write,
    "other programs": _start_process,
    "torch": _multiply,
    "torch.compile": _compile,
}


def _read(path: str | None, marker: str) -> None:
    """Succeed only with what was put there: in a namespace, another file or process may bear the name."""
    if path is None or marker.encode() not in Path(path).read_bytes():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _all_refused(acts: Iterable[Callable[[], object]]) -> None:
    """Raise, as a refusal does, if each of them is refused; return if one is not."""
    for act in acts:
        try:
            act()
        except OSError:
            continue
        return
    raise PermissionError
