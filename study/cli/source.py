"""The `train.py` that a command runs: the package's or the user's, with the preset's defaults."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from autoresearch.errors import RevisionError
from autoresearch.presets import PRESETS, Preset, retarget
from autoresearch.revision import package_source, preset_of, read_source


@contextmanager
def source_file(source: Path | None, preset: Preset) -> Iterator[Path]:
    """The file to run: the user's as it is, unless its defaults are for another preset's machine."""
    text = read_source(source) if source else package_source()
    try:
        fitted = retarget(text, preset)
    except RevisionError as error:
        raise RevisionError(f"{source}: {error}") from None
    if source and fitted == text:
        yield source.resolve()
        return
    if source:
        replaced = ", ".join(PRESETS[str(preset_of(text))].knobs.keys() | preset.knobs.keys())
        tell("source", f"{source} is for preset {preset_of(text)}; {preset.name}'s replace its {replaced}")
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as folder:
        path = Path(folder) / (source.name if source else "train.py")
        path.write_text(fitted, encoding="utf-8")
        yield path


def tell(name: str, what: str) -> None:
    """One line about the set-up, on stderr."""
    click.echo(f"{name:<8} {what}", err=True)
