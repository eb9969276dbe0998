"""Compiled code, kept from trial to trial of one revision, without keeping anything that a trial has learned.

A trial compiles into a folder of its own. What is in there when its clock starts is copied away: until then it has seen random
tokens alone. What it writes there later goes with it, so no trial can leave weights for another one to go on from. And what one
revision has compiled is only handed to itself and to those made from it, so none can leave a library for its rivals to load.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

COMPILED = "compiled"  # in a trial's scratch folder: its home folder, and below it what torch's compilers keep
_MOST_BYTES = 2**30  # of a revision; a large model's kernels take some tens of MiB
_MOST_FILES = 20_000


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
        """Copy what a trial has compiled, as its clock starts; files that are kept already stay as they are."""
        room, files = _MOST_BYTES, 0
        for name, descriptor in _regular_files(scratch / COMPILED):
            with os.fdopen(descriptor, "rb") as source:
                files += 1
                room -= os.fstat(descriptor).st_size
                if room < 0 or files > _MOST_FILES:
                    return
                place = self._root / revision / name
                if not place.exists():
                    _write(place, source.read(os.fstat(descriptor).st_size))


def hand_out(kernels: Kernels | None, lineage: Sequence[str], scratch: Path) -> Callable[[], None]:
    """Give a trial what its revision has compiled before; returns what keeps its own, for when the clock starts."""
    if kernels is None or not lineage:
        return lambda: None
    kernels.give(lineage, scratch)
    return lambda: kernels.keep(lineage[0], scratch)


def _regular_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Each file below, by its name from there, opened; the folder's owner may change it meanwhile, and no link is followed."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for inner, _, names, at in os.fwalk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    yield str((Path(inner) / name).relative_to(folder)), descriptor
                else:
                    os.close(descriptor)


def _write(place: Path, content: bytes) -> None:
    """All of it or nothing: another worker may be reading."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as partial:
        partial.write(content)
    Path(partial.name).replace(place)
