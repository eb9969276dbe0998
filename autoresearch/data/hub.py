"""Tables through Hugging Face `datasets`: the hub's, those of a local clone, or single files.

Loading is not streamed: the hub's cache then resumes a download that was cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoresearch.errors import DataError

from .text import Document, checked_text, from_str, missing_column

_BATCH = 1_000


def read_table(repository: str, files: list[str] | None, column: str, cache: Path) -> Iterator[Document]:
    """Yield the texts of one table.

    Args:
        repository: a hub id, a folder laid out like a hub repository, or a builder such as `parquet`.
        files: the files to read, relative to the repository; None for all its splits, in their own order.
        column: the column that holds the text.
        cache: where `datasets` keeps its converted copy.
    """
    where = f"{repository} ({', '.join(files)})" if files else repository
    for table in _load(repository, files, cache, where).values():
        if column not in table.column_names:
            raise DataError(missing_column(column, table.column_names, where))
        for batch in table.select_columns([column]).iter(batch_size=_BATCH):
            for value in batch[column]:
                yield from_str(checked_text(value, column, where))


def _load(repository: str, files: list[str] | None, cache: Path, where: str) -> dict[str, Any]:
    import datasets

    with _quiet():
        try:
            loaded: dict[str, Any] = datasets.load_dataset(repository, data_files=files, cache_dir=str(cache))
        except Exception as error:
            # datasets, pyarrow, fsspec and the HTTP client raise families of their own; here all mean the
            # same.
            raise DataError(_explain(error, where)) from error
    return loaded


def _explain(error: Exception, where: str) -> str:
    reason = error.__cause__ or error  # datasets wraps what went wrong in "an error occurred"
    text = " ".join(str(reason).split()) or type(reason).__name__
    if isinstance(error, ConnectionError):
        return (
            f"cannot download {where}: {text}; check the network, give a local clone (NAME:FOLDER), "
            f"or use the built-in corpus"
        )
    return f"cannot read {where}: {text[:300]}; expected a readable dataset with a text column"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' own log lines and progress bars off the terminal: an error is told once, by us."""
    import datasets
    import huggingface_hub.utils.logging as hub_logging

    levels = datasets.logging.get_verbosity(), hub_logging.get_verbosity()
    bars = datasets.is_progress_bar_enabled()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    hub_logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(levels[0])
        hub_logging.set_verbosity(levels[1])
        if bars:
            datasets.enable_progress_bars()
