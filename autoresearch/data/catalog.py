"""Which prepared dataset a run trains on: the one that was named, or the newest that fits the preset."""

from __future__ import annotations

import difflib
from pathlib import Path

from autoresearch.errors import DataError

from .dataset import META, Dataset
from .home import home as default_home
from .prepare import prepare
from .progress import Progress, Silent
from .settings import DataSettings


def prepared(home: Path | None = None) -> list[Path]:
    """The folders of all prepared datasets, newest first."""
    folder = (home or default_home()) / "data"
    found = [meta.parent for meta in folder.glob(f"*/{META}") if not meta.parent.name.endswith(".partial")]
    return sorted(found, key=lambda path: (path / META).stat().st_mtime, reverse=True)


def named(name: str, home: Path | None = None) -> Dataset:
    """Open a dataset by its name in the cache, the beginning of that name, or the path of its folder.

    A beginning ends before a dash: `mine` for `mine-1a2b3c4d-v2048-c256`.

    Raises:
        DataError: There is none, or several; the names to choose from are given.
    """
    folders = prepared(home)
    for path in folders:
        if path.name == name:
            return Dataset.open(path)
    if (Path(name) / META).is_file():
        return Dataset.open(Path(name).resolve())
    beginning = [path for path in folders if path.name.startswith(f"{name}-")]
    if len(beginning) == 1:
        return Dataset.open(beginning[0])
    if beginning:
        several = ", ".join(path.name for path in beginning)
        raise DataError(f"several prepared datasets begin with {name!r}: choose one of {several}")
    names = [path.name for path in folders]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
    raise DataError(f"there is no prepared dataset {name!r}: {hint} (autoresearch prepare makes one)")


def fitting(vocab_size: int, context: int, home: Path | None = None, report: Progress | None = None) -> Dataset:
    """Open the newest dataset of this vocabulary and context; prepare the built-in corpus where there is none."""
    others = []
    progress = report or Silent()
    for path in prepared(home):
        try:
            dataset = Dataset.open(path)
        except DataError as error:
            progress.note(f"passed over: {error}")
            continue
        made_with = dataset.meta["settings"]
        if (made_with["vocab_size"], made_with["context"]) == (vocab_size, context):
            return dataset
        others.append(dataset.name)
    wanted = f"vocabulary {vocab_size} and context {context}"
    if others:
        progress.note(f"no prepared dataset has {wanted}; --data takes another, such as {others[0]}")
    progress.note(f"preparing the built-in corpus with {wanted}")
    return prepare(DataSettings(vocab_size=vocab_size, context=context), home, progress)
