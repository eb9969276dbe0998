"""What several folders of tests need: a small prepared dataset, made once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

# Tiny models gain nothing by threads, and those of several processes wait for each other. Read where torch is imported, so before.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from autoresearch.data.dataset import Dataset
from autoresearch.data.prepare import DataSettings, prepare

from .forks import Forks

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole studies first, then the files with most slow tests: nobody should have to wait for the last of them alone."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: ("loop" not in item.path.parts, -slow[item.path], item.path))


class Commands:
    """Runs the command line, in processes that need not import it: `command_process.py` says how."""

    def __init__(self) -> None:
        self._forks = Forks("tests.command_process")

    def run(
        self, *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`autoresearch` with these arguments."""
        with tempfile.NamedTemporaryFile("r+") as out, tempfile.NamedTemporaryFile("r+") as err:
            job = {
                "arguments": arguments,
                "environment": dict(os.environ if environment is None else environment),
                "folder": str(folder or Path.cwd()),
                "out": out.name,
                "err": err.name,
            }
            return subprocess.CompletedProcess(arguments, self._forks.run(job), out.read(), err.read())

    def close(self) -> None:
        """End with the last of them."""
        self._forks.close()


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The command line, for whole runs of it."""
    with closing(Commands()) as running:
        yield running


_SUBJECTS = ("The night", "A model", "Some corpus", "One trial", "Every morning", "The judge")
_VERBS = ("keeps", "drops", "reads", "trains", "finds", "asks for")
_OBJECTS = ("a token", "the budget", "two edits", "no clock", "its answer", "a better number")


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty documents of simple, learnable sentences."""
    folder = tmp_path_factory.mktemp("texts")
    draw = random.Random(0)
    for number in range(60):
        sentences = (f"{draw.choice(_SUBJECTS)} {draw.choice(_VERBS)} {draw.choice(_OBJECTS)}." for _ in range(60))
        (folder / f"{number:02}.txt").write_text(f"Number {number}. " + " ".join(sentences), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds `tiny_dataset`."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def tiny_dataset(text_folder: Path, tiny_home: Path) -> Dataset:
    """The sentences at 300 ids in rows of 32 + 1."""
    return prepare(DataSettings(str(text_folder), vocab_size=300, context=32), tiny_home)
