"""Where a study's trials lie on this machine: a folder each, and the compiled code that is kept for them.

Nothing in here is needed to go on with a study: what counts is in the database. A folder holds the `train.py` that ran
and its log, for people to read.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from autoresearch.data.home import home
from autoresearch.errors import StorageError

# Less than a trial writes: compiled kernels, mostly.
_LEAST_FREE = 64 * 2**20
_WAY_ON = "make room, or set AUTORESEARCH_HOME to another disk, and run the same command: it goes on"


@dataclass(frozen=True)
class Folders:
    """The folders of one study."""

    root: Path

    @classmethod
    def of(cls, name: str, study_id: str, under: Path | None = None) -> Folders:
        """The study's folder; its name may hold anything, so the part of it that a file system takes is used."""
        plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:60]
        return cls((under or home()) / "studies" / f"{plain}-{study_id[:8]}")

    @property
    def cache(self) -> Path:
        """What the process that starts trials has compiled for all of them, to read."""
        return self.root / "compiled"

    @property
    def kernels(self) -> Path:
        """What trials have compiled; beside their folder, so that none of them can reach it."""
        return self.root.with_name(f"{self.root.name}.kernels")

    def trial(self, number: int) -> Path:
        """The folder of a trial."""
        return self.root / f"{number:05d}"

    def second(self, number: int) -> Path:
        """The folder of its second run, where a gain has to be reached twice."""
        return self.root / f"{number:05d}-again"


def write_source(folder: Path, text: str) -> Path:
    """Write a trial's `train.py` into its folder, which is made.

    Raises:
        StorageError: The disk is full, or the folder may not be written.
    """
    path = folder / "train.py"
    try:
        if path.is_dir() and not path.is_symlink():  # a trial may put anything into its folder
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; {_WAY_ON}") from error
    return path


def check_disk(folder: Path) -> None:
    """Raise a StorageError where the disk is (nearly) full: what failed there may not have failed by itself."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        raise StorageError(f"the disk of {folder} has {free / 2**20:.0f} MiB left; {_WAY_ON}")
