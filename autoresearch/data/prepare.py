"""Corpus to prepared dataset, once: read, split, train the tokenizer, pack, and move the result into place.

Everything happens in a `.partial` folder beside the final one; a single rename at the end makes it the
dataset. An attempt that was interrupted, in whatever way, is continued by the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from .build import STAGES, Build
from .corpus import Corpus, open_corpus
from .dataset import META, Dataset
from .home import home as default_home
from .progress import Progress, Silent
from .settings import DataSettings
from .splits import survey
from .store import explained_os_errors

__all__ = ["DataSettings", "dataset_path", "prepare"]


def prepare(settings: DataSettings, home: Path | None = None, report: Progress | None = None) -> Dataset:
    """Make the dataset of `settings`, or open it if it is already there.

    Args:
        settings: what to make.
        home: the cache folder; `home.home()` when None.
        report: is told of stages and their progress.

    Raises:
        DataError: the corpus, the settings or the disk do not allow it. The next attempt continues what was
        finished.
    """
    base = home or default_home()
    progress = report or Silent()
    needed = 0
    with explained_os_errors(base, lambda: needed):
        corpus = open_corpus(settings, base)
        path = _folder(settings, corpus, base)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path, progress):
            if (path / META).exists():
                progress.note(f"already prepared: {path}")
                return Dataset.open(path)
            plan = survey(corpus, progress)
            text = int(plan.sizes.sum())
            # Two bytes a token; a token is a byte at 256, and at least three or so in any larger vocabulary.
            needed = 2 * text if settings.vocab_size == 256 else text
            if plan.repaired:
                progress.note(f"{plan.repaired} documents held bytes that are not UTF-8 text; each became U+FFFD")
            partial = path.with_name(path.name + ".partial")
            Build(settings, corpus, plan, partial, progress).run(path.name)
            if path.exists():  # without a meta.json it is no dataset: somebody deleted a part of it
                shutil.rmtree(path)
            partial.rename(path)
            shutil.rmtree(path / STAGES)
        return Dataset.open(path)


def dataset_path(settings: DataSettings, home: Path | None = None) -> Path:
    """Return the folder in which `prepare` with these settings puts its dataset."""
    base = home or default_home()
    with explained_os_errors(base, lambda: 0):
        return _folder(settings, open_corpus(settings, base), base)


def _folder(settings: DataSettings, corpus: Corpus, home: Path) -> Path:
    column = "" if settings.text_column == DataSettings.text_column else f"-{quote(settings.text_column, safe='')}"
    return home / "data" / f"{corpus.name}{column}-v{settings.vocab_size}-c{settings.context}"


@contextmanager
def _alone(path: Path, progress: Progress) -> Iterator[None]:
    """Let one process at a time prepare this dataset; the others wait and then find it ready."""
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"waiting for another process that prepares {path.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
