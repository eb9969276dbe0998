from __future__ import annotations

import random
from pathlib import Path

import pytest

from autoresearch.data import build
from autoresearch.data.dataset import Dataset
from autoresearch.data.prepare import DataSettings, prepare

_WORDS = ("the", "a", "night", "of", "quiet", "work", "on", "small", "models", "worth", "in", "morning")


def make_text(seed: int, words: int = 300) -> str:
    draw = random.Random(seed)
    return f"Document {seed}. " + " ".join(draw.choice(_WORDS) + draw.choice("    ,.s") for _ in range(words))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder of forty documents of about 1,500 characters."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.txt").write_text(make_text(number), encoding="utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def dataset(settings: DataSettings, home: Path) -> Dataset:
    """The forty documents at 300 ids in rows of 64 + 1."""
    return prepare(settings, home)


@pytest.fixture
def settings(corpus: Path) -> DataSettings:
    return DataSettings(str(corpus), vocab_size=300, context=64)


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches a shard and several shards a corpus, as in one that is large."""
    monkeypatch.setattr(build, "_BATCH_BYTES", 4_000)
    monkeypatch.setattr(build, "SHARD_TOKENS", 5_000)
