"""What several folders of tests need: a small prepared dataset, made once."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.data.prepare import DataSettings, prepare

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole studies first: they take longest, and nobody should have to wait for the last of them alone."""
    items.sort(key=lambda item: "loop" not in item.path.parts)


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
