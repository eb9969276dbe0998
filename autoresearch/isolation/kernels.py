"""Compiled code, kept from trial to trial of one revision, without keeping anything that a trial has learned.

A trial compiles into a folder of its own. What is in there is copied away just before its clock starts, while it waits for its
first batch: until then it has seen random tokens alone. What it writes there later goes with it, so no trial can leave weights
for another one to go on from. And what one revision has compiled is only handed to itself and to those made from it, so none
can leave a library for its rivals to load.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

COMPILED = "compiled"  # in a trial's scratch folder: its home folder, and below it what torch's compilers keep
_MOST_BYTES = 2**30  # of a revision; a large model's kernels take some tens of MiB
_MOST_ENTRIES = 20_000
_MOST_SECONDS = 10.0  # the trial waits for its first batch meanwhile
_DEEPEST = 8  # folders in folders; what torch and Triton keep lies three deep
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kernels:
    """A folder for each revision, made when there is something to keep."""

    def __init__(self, root: Path) -> None:
        """Keep them below `root`, where no trial may write."""
        self._root = root

    def give(self, lineage: Sequence[str], scratch: Path) -> None:
        """Give a trial that is about to start what the first of these revisions that has compiled anything has kept.

        Args:
            lineage: The trial's own, then those that it comes from.
            scratch: The trial's folder for what it writes.
        """
        for revision in lineage:
            kept = self._root / revision
            if kept.is_dir():
                shutil.copytree(kept, scratch / COMPILED, dirs_exist_ok=True)
                return

    def keep(self, revision: str, scratch: Path) -> None:
        """Copy what a trial has compiled, just before its clock starts; files that are kept already stay as they are."""
        kept = self._root / revision
        room = _MOST_BYTES - sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
        deadline = time.monotonic() + _MOST_SECONDS
        for name, descriptor in _regular_files(scratch / COMPILED, deadline):
            with os.fdopen(descriptor, "rb") as source:
                size = os.fstat(descriptor).st_size
                with contextlib.suppress(OSError):  # a name that is too long, a file where there was a folder
                    place = kept / name
                    if place.exists():
                        continue
                    room -= size
                    if room < 0:
                        return
                    self._write(place, source.read(size))

    def _write(self, place: Path, content: bytes) -> None:
        """All of it or nothing: another worker may be reading."""
        partial = self._root / "partial" / secrets.token_hex(8)
        for folder in (partial.parent, place.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)


def hand_out(kernels: Kernels | None, lineage: Sequence[str], scratch: Path) -> Callable[[], None]:
    """Give a trial what its revision has compiled before; returns what keeps its own, for just before the clock starts.

    It is only a cache: where it cannot be read or written, the trial compiles anew.
    """
    if kernels is None or not lineage:
        return lambda: None
    with contextlib.suppress(OSError):
        kernels.give(lineage, scratch)

    def keep() -> None:
        with contextlib.suppress(OSError):
            kernels.keep(lineage[0], scratch)

    return keep


def _regular_files(folder: Path, deadline: float) -> Iterator[tuple[str, int]]:
    """Each file below, by its name from there, opened; the folder's owner may change it meanwhile, and no link is followed."""
    entries = itertools.count()

    def below(descriptor: int, prefix: str, depth: int) -> Iterator[tuple[str, int]]:
        try:
            with os.scandir(descriptor) as found:
                for entry in found:
                    if next(entries) >= _MOST_ENTRIES or time.monotonic() > deadline:
                        return
                    name = f"{prefix}{entry.name}"
                    with contextlib.suppress(OSError):
                        if entry.is_dir(follow_symlinks=False) and depth < _DEEPEST:
                            inner = os.open(entry.name, _OPEN | os.O_DIRECTORY, dir_fd=descriptor)
                            yield from below(inner, f"{name}/", depth + 1)
                        elif entry.is_file(follow_symlinks=False):
                            yield name, os.open(entry.name, _OPEN, dir_fd=descriptor)
        finally:
            os.close(descriptor)

    with contextlib.suppress(OSError):  # nothing there, or something else
        yield from below(os.open(folder, _OPEN | os.O_DIRECTORY), "", 0)
