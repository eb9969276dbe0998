"""Files that are either whole or not there: written beside their place, then renamed into it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autoresearch.errors import DataError


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a `.npy` file atomically.

    `np.save` loses the reason when the disk is full (its `tofile` raises an OSError without errno), so the
    header is numpy's and the bytes are written here.
    """
    whole = np.ascontiguousarray(array)

    def save(file: BinaryIO) -> None:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
        file.write(whole.data)

    _write(path, save)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, readable by people and the same for the same value."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=True) + "\n"

    def save(file: BinaryIO) -> None:
        file.write(text.encode())

    _write(path, save)


def _write(path: Path, save: Callable[[BinaryIO], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    try:
        with beside.open("wb") as file:
            save(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def explained_os_errors(folder: Path, needed: Callable[[], int]) -> Iterator[None]:
    """Turn an operating system's refusal, however deeply wrapped, into one line that says what to do.

    Args:
        folder: where the files were being written.
        needed: an estimate, in bytes, of what the whole job writes there.
    """
    try:
        yield
    except (OSError, DataError) as error:
        cause = _os_error(error)
        if cause is None:
            raise
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"no space left in {folder}: {_free(folder) / 1e6:,.1f} MB free, about "
                f"{needed() / 1e6:,.1f} MB needed; free some, or point "
                f"AUTORESEARCH_HOME at a larger disk, and run the same command again"
            ) from error
        if isinstance(error, DataError):
            raise
        where = cause.filename or folder
        raise DataError(f"cannot use {where}: {cause.strerror or cause}; check the path and its permissions") from error


def _os_error(error: BaseException | None) -> OSError | None:
    """Find the OSError with an errno that lies under `error`, if one does."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
