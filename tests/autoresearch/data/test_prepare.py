from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoresearch.data import build
from autoresearch.data.dataset import Dataset
from autoresearch.data.locked_test import open_test_rows
from autoresearch.data.prepare import DataSettings, dataset_path, prepare
from autoresearch.data.progress import Silent
from autoresearch.data.tokenizer import Tokenizer
from autoresearch.errors import DataError


def text_of(rows: np.ndarray, dataset: Dataset) -> str:
    tokenizer = Tokenizer.load(dataset.path / "tokenizer.json")
    ids = [*rows[0, :1].tolist(), *rows[:, 1:].ravel().tolist()]
    return tokenizer.decode(ids)


def test_the_rows_of_a_split_spell_its_documents(dataset: Dataset, corpus: Path) -> None:
    texts = {path.read_text(encoding="utf-8") for path in corpus.iterdir()}
    spelled = text_of(dataset.val_rows(), dataset).split("<|bos|>")[1:-1]
    assert spelled
    assert set(spelled) <= texts


def test_no_document_is_spelled_in_two_splits(dataset: Dataset) -> None:
    splits = [np.concatenate(dataset.train_rows()), dataset.val_rows(), open_test_rows(dataset)]
    train, val, test = (set(re.findall(r"Document \d+\.", text_of(rows, dataset))) for rows in splits)
    assert min(len(train) - 30, len(val), len(test)) > 0
    assert not (train & val) | (train & test) | (val & test)


def test_best_fit_rows_begin_with_bos(settings: DataSettings, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoresearch.data.settings.BEST_FIT_FROM", 64)
    dataset = prepare(settings, home)
    assert dataset.meta["packing"] == "best-fit"
    assert all((rows[:, 0] == dataset.bos).all() for rows in [*dataset.train_rows(), dataset.val_rows()])


def test_the_counts_say_how_many_tokens_were_kept(dataset: Dataset) -> None:
    split = dataset.meta["splits"]["val"]
    assert split["kept"] == np.count_nonzero(dataset.val_rows()[:, 1:] != dataset.bos)
    assert split["tokens"] - dataset.context < split["kept"] <= split["tokens"]


def test_the_bytes_of_the_kept_tokens_are_those_of_the_text(dataset: Dataset) -> None:
    split = dataset.meta["splits"]["val"]
    rows = dataset.val_rows()
    lost = split["tokens"] - split["kept"]
    missing = split["bytes"] - int(dataset.token_bytes[rows[:, 1:]].sum())
    assert 0 <= missing <= lost * int(dataset.token_bytes.max())


def test_the_same_texts_elsewhere_have_the_same_fingerprint(
    dataset: Dataset, settings: DataSettings, tmp_path: Path
) -> None:
    shutil.copytree(settings.source, tmp_path / "moved" / "texts")
    moved = prepare(replace(settings, source=str(tmp_path / "moved" / "texts")), tmp_path / "other home")
    assert moved.fingerprint == dataset.fingerprint
    assert (moved.val_rows() == dataset.val_rows()).all()


def test_json_lines_and_a_table_of_the_same_texts_have_the_same_fingerprint(tmp_path: Path, home: Path) -> None:
    texts = [f"text {number} " * 40 for number in range(60)]
    (tmp_path / "a.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts))
    pq.write_table(pa.table({"text": texts}), tmp_path / "b.parquet")
    made = [prepare(DataSettings(str(tmp_path / name), 256, 32), home) for name in ("a.jsonl", "b.parquet")]
    assert made[0].fingerprint == made[1].fingerprint


@pytest.mark.parametrize("change", [{"vocab_size": 301}, {"vocab_size": 256}, {"context": 32}])
def test_a_changed_setting_changes_the_fingerprint(
    dataset: Dataset, settings: DataSettings, home: Path, change: dict[str, Any]
) -> None:
    assert prepare(replace(settings, **change), home).fingerprint != dataset.fingerprint


def test_a_changed_text_is_prepared_anew(dataset: Dataset, settings: DataSettings, home: Path) -> None:
    (Path(settings.source) / "07.txt").write_text("another text, quite a short one")
    again = prepare(settings, home)
    assert again.path != dataset.path
    assert again.fingerprint != dataset.fingerprint


def test_the_fingerprint_of_the_builtin_corpus_is_pinned(home: Path) -> None:
    # The published numbers name it: texts, splits, tokenizer and packing of the default small dataset.
    dataset = prepare(DataSettings(vocab_size=2048, context=256), home)
    assert dataset.fingerprint[:12] == "e66fcd65da59"


def test_the_builtin_splits_are_large_enough_to_measure(home: Path) -> None:
    splits = prepare(DataSettings(vocab_size=2048, context=128), home).meta["splits"]
    total = sum(split["bytes"] for split in splits.values())
    assert all(0.045 < splits[name]["bytes"] / total < 0.065 for name in ("val", "test"))
    assert splits["val"]["tokens"] > 130_000


def test_the_path_is_known_before_the_dataset_is(settings: DataSettings, home: Path) -> None:
    expected = dataset_path(settings, home)
    assert not expected.exists()
    assert prepare(settings, home).path == expected


@pytest.mark.usefixtures("small_stages")
def test_large_corpora_are_packed_in_shards_that_lose_less_than_a_row_each(settings: DataSettings, home: Path) -> None:
    dataset = prepare(settings, home)
    train = dataset.meta["splits"]["train"]
    assert len(dataset.train_rows()) > 3
    assert train["tokens"] - train["kept"] < len(dataset.train_rows()) * settings.context


def test_repaired_documents_are_counted_and_told(corpus: Path, settings: DataSettings, home: Path) -> None:
    (corpus / "00.txt").write_bytes(b"caf\xe9 " * 50)
    (corpus / "x.jsonl").write_text('{"text": "lone \\ud800 surrogate"}\n{"text": "sound"}\n')
    heard: list[str] = []

    class Notes(Silent):
        def note(self, message: str) -> None:
            heard.append(message)

    assert prepare(settings, home, Notes()).meta["repaired"] == 2
    assert heard == ["2 documents held bytes that are not UTF-8 text; each became U+FFFD"]


def test_plain_bytes_need_257_ids(settings: DataSettings, home: Path) -> None:
    dataset = prepare(replace(settings, vocab_size=256), home)
    assert (dataset.vocab_size, dataset.bos) == (257, 256)
    assert dataset.meta["splits"]["train"]["tokens"] == dataset.meta["splits"]["train"]["bytes"]


def test_the_tokenizer_learns_from_the_train_split_alone(corpus: Path, settings: DataSettings, home: Path) -> None:
    dataset = prepare(settings, home)
    folder = home.with_name("train only")
    folder.mkdir()
    held_out = text_of(dataset.val_rows(), dataset) + text_of(open_test_rows(dataset), dataset)
    texts = [path.read_text(encoding="utf-8") for path in sorted(corpus.iterdir())]
    train = [text for text in texts if text[:30] not in held_out]
    assert len(train) == 36
    assert Tokenizer.train(train, 300).digest() == dataset.meta["tokenizer"]


def test_where_the_text_exceeds_what_the_tokenizer_reads_long_documents_are_cut(
    settings: DataSettings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "TOKENIZER_CHARS", 20_000)
    monkeypatch.setattr(build, "TOKENIZER_DOCUMENT_CHARS", 5)
    with pytest.raises(DataError, match="too small for a vocabulary of 300"):
        prepare(settings, home)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 255}, r"vocabulary size 255 is out of range: expected 256 .* to 65536"),
        ({"vocab_size": 65_537}, r"vocabulary size 65537 is out of range"),
        ({"context": 1}, r"context 1 is too short: expected at least 2"),
        ({"shards": 0}, r"shards 0 is out of range: expected 1 to 6542"),
        ({"shards": 6_543}, r"shards 6543 is out of range"),
        ({"text_column": ""}, r"text column has no name"),
    ],
)
def test_bad_settings_are_refused_with_the_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        DataSettings(**change)


def test_a_context_longer_than_a_split_is_told_with_numbers(settings: DataSettings, home: Path) -> None:
    with pytest.raises(DataError, match=r"the val split of .* has [\d,]+ tokens, .* one row of 100,001"):
        prepare(replace(settings, context=100_000), home)


def test_climbmix_validates_and_tests_on_its_pinned_file_alone(tmp_path: Path, home: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    files = {0: "zero", 1: "one", 6542: "pinned"}
    for number, word in files.items():
        rows = [f"{word} {row} " * 30 for row in range(20)]
        pq.write_table(pa.table({"text": rows}), clone / f"shard_{number:05}.parquet")
    dataset = prepare(DataSettings(f"climbmix:{clone}", 256, 32, shards=2), home)
    assert dataset.name.startswith("climbmix-s2-")
    words = [
        {word for word in files.values() if word in text_of(rows, dataset)}
        for rows in (np.concatenate(dataset.train_rows()), dataset.val_rows(), open_test_rows(dataset))
    ]
    assert words == [{"zero", "one"}, {"pinned"}, {"pinned"}]


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may read anything: be nobody for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    yield
    if root:
        os.seteuid(0)


@pytest.fixture
def private(corpus: Path) -> Iterator[Path]:
    folder = corpus / "private"
    folder.mkdir(mode=0)
    yield folder
    folder.chmod(0o700)


@pytest.mark.usefixtures("private", "unprivileged")
def test_a_folder_that_may_not_be_read_is_told(corpus: Path, home: Path) -> None:
    with pytest.raises(DataError, match=rf"cannot use {corpus}.*: Permission denied; check the path"):
        prepare(DataSettings(str(corpus)), home)


def test_a_home_that_is_a_file_is_told(settings: DataSettings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot use .*file.*: Not a directory"):
        prepare(settings, tmp_path / "file")
