"""`autoresearch prepare`: corpus to packed token rows, with progress on stderr and a summary on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from autoresearch.data.dataset import Dataset
from autoresearch.data.prepare import DataSettings
from autoresearch.data.prepare import prepare as prepare_dataset
from autoresearch.data.progress import Progress
from autoresearch.device import detect
from autoresearch.errors import DataError
from autoresearch.presets import preset_for, preset_named


@click.command()
@click.argument("source", required=False)
@click.option("--preset", metavar="NAME", help="Whose vocabulary and context.  [default: by the device]")
@click.option("--vocab-size", type=int, help="Ids of the tokenizer; 256 means plain bytes.  [default: the preset's]")
@click.option("--context", type=int, help="Tokens that a model sees at once.  [default: the preset's]")
@click.option(
    "--text-column",
    show_default=DataSettings.text_column,
    help="Column or field that holds the text.",
)
@click.option(
    "--shards",
    type=int,
    show_default=str(DataSettings.shards),
    help="Training files to take from climbmix, of 6542.",
)
def prepare(
    source: str | None,
    preset: str | None,
    vocab_size: int | None,
    context: int | None,
    text_column: str | None,
    shards: int | None,
) -> None:
    """Turn a corpus into packed token rows, once.

    SOURCE is `builtin` (the default: 249 State of the Union addresses, no download), a .txt, .jsonl or
    .parquet file, a folder of them, `climbmix`, `tinystories`, or any Hugging Face dataset as owner/name.
    NAME:FOLDER reads a local clone of a dataset's repository, such as climbmix:/data/climbmix.

    One document in twenty validates and one in twenty is locked away for the final test. An interrupted run
    is continued by the same command. Everything lies under $AUTORESEARCH_HOME, or the user's cache folder.

    \b
    autoresearch prepare
    autoresearch prepare my-texts/ --vocab-size 2048 --context 256
    """
    if shards is not None and (source or DataSettings.source).partition(":")[0] != "climbmix":
        raise DataError("--shards chooses files of climbmix: leave it away, or prepare climbmix")
    chosen = preset_named(preset) if preset else preset_for(detect())
    given: dict[str, Any] = {
        "source": source,
        "vocab_size": chosen.vocab_size if vocab_size is None else vocab_size,
        "context": chosen.context if context is None else context,
        "text_column": text_column,
        "shards": shards,
    }
    settings = replace(DataSettings(), **{name: value for name, value in given.items() if value is not None})
    with progress_on_stderr() as progress:
        dataset = prepare_dataset(settings, report=progress)
    click.echo(summary(dataset))


def summary(dataset: Dataset) -> str:
    """Describe a prepared dataset in a few aligned lines."""
    splits = dataset.meta["splits"]

    def each(key: str) -> str:
        return ", ".join(f"{splits[name][key]:,} {name}" for name in ("train", "val", "test"))

    size, tokens, kept = (sum(split[key] for split in splits.values()) for key in ("bytes", "tokens", "kept"))
    lines = {
        "dataset": dataset.name,
        "documents": each("documents"),
        "text": f"{size / 1e6:,.2f} MB, {size / tokens:.2f} bytes a token at {dataset.vocab_size} ids",
        "rows": f"{each('rows')}, of {dataset.context} tokens ({dataset.meta['packing']})",
        "kept": f"{kept:,} of {tokens:,} tokens ({kept / tokens:.2%})",
        "path": dataset.path,
        "fingerprint": dataset.fingerprint[:12],
        "next": f"autoresearch train --data {dataset.name}",
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items())


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """Draw a bar on a terminal; elsewhere print plain lines."""
    if not sys.stderr.isatty():
        yield _PlainLines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichBar

    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = RichBar(*columns, console=Console(stderr=True))
    try:
        yield _Bars(bar)
    finally:
        bar.stop()


class _PlainLines:
    """One line when a stage begins, and one for each further quarter of it."""

    def __init__(self) -> None:
        self._name, self._total, self._done = "", 0, 0

    def stage(self, name: str, total: int | None = None) -> None:
        self._name, self._total, self._done = name, total or 0, 0
        click.echo(name, err=True)

    def advance(self, amount: int) -> None:
        before, self._done = self._done, self._done + amount
        if self._total:
            quarter = 4 * self._done // self._total
            if 4 * before // self._total < quarter < 4:
                click.echo(f"{self._name}: {25 * quarter} %", err=True)

    def note(self, message: str) -> None:
        click.echo(message, err=True)


class _Bars:
    """A bar for each stage, full when the next one begins."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task: Any = None

    def stage(self, name: str, total: int | None = None) -> None:
        self._bar.start()  # only now: what redraws itself erases what others have written
        self._finish()
        self._task = self._bar.add_task(name, total=total)

    def advance(self, amount: int) -> None:
        self._bar.advance(self._task, amount)

    def note(self, message: str) -> None:
        self._bar.console.print(message, markup=False, highlight=False)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._bar.tasks[self._task]
            self._bar.update(self._task, total=task.total or 1, completed=task.total or 1)
