"""Which prepared dataset a run gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoresearch.data import catalog
from autoresearch.data.dataset import META, Dataset
from autoresearch.data.prepare import DataSettings, prepare
from autoresearch.errors import DataError


class Notes:
    """A progress report that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def stage(self, name: str, total: int | None = None) -> None: ...

    def advance(self, amount: int) -> None: ...

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def smaller(corpus: Path, home: Path) -> Dataset:
    return prepare(DataSettings(str(corpus), vocab_size=280, context=32), home)


def make_newest(dataset: Dataset) -> None:
    os.utime(dataset.path / META, (2e9, 2e9))


def test_a_dataset_is_found_by_its_name(dataset: Dataset, smaller: Dataset, home: Path) -> None:
    assert catalog.named(smaller.name, home) == smaller


def test_a_dataset_is_found_by_its_folder(dataset: Dataset, home: Path) -> None:
    assert catalog.named(str(dataset.path), home) == dataset


def test_the_beginning_of_a_name_is_enough(dataset: Dataset, home: Path) -> None:
    assert catalog.named("texts", home) == dataset


def test_a_beginning_that_several_share_is_refused_with_their_names(
    dataset: Dataset, smaller: Dataset, home: Path
) -> None:
    with pytest.raises(DataError, match=f"begin with 'texts': choose one of .*{dataset.name}"):
        catalog.named("texts", home)


def test_an_unknown_name_gets_the_closest_one(dataset: Dataset, home: Path) -> None:
    with pytest.raises(DataError, match=f"there is no prepared dataset '.*': did you mean '{dataset.name}'"):
        catalog.named(dataset.name[:-1], home)


def test_with_nothing_prepared_a_name_is_refused(home: Path) -> None:
    with pytest.raises(DataError, match=r"there are none \(autoresearch prepare makes one\)"):
        catalog.named("mine", home)


def test_the_newest_that_fits_is_taken(dataset: Dataset, smaller: Dataset, home: Path) -> None:
    make_newest(smaller)
    assert catalog.prepared(home) == [smaller.path, dataset.path]
    assert catalog.fitting(300, 64, home) == dataset


def test_a_damaged_dataset_is_passed_over_with_a_word(dataset: Dataset, smaller: Dataset, home: Path) -> None:
    (smaller.path / META).write_text("{")
    make_newest(smaller)
    notes = Notes()
    assert catalog.fitting(300, 64, home, notes) == dataset
    assert len(notes.said) == 1
    assert notes.said[0].startswith("passed over: ")


def test_where_none_fits_the_built_in_corpus_is_prepared(dataset: Dataset, home: Path) -> None:
    notes = Notes()
    made = catalog.fitting(256, 128, home, notes)
    assert made.name == "builtin-v256-c128"
    assert notes.said == [
        f"no prepared dataset has vocabulary 256 and context 128; --data takes another, such as {dataset.name}",
        "preparing the built-in corpus with vocabulary 256 and context 128",
    ]
