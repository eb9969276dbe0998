from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.data.locked_test import open_test_rows
from autoresearch.errors import DataError


def test_rows_are_one_longer_than_the_context(dataset: Dataset) -> None:
    assert {rows.shape[1] for rows in [*dataset.train_rows(), dataset.val_rows(), open_test_rows(dataset)]} == {65}


def test_rows_are_memory_maps_of_two_byte_ids(dataset: Dataset) -> None:
    for rows in [*dataset.train_rows(), dataset.val_rows()]:
        assert isinstance(rows, np.memmap)
        assert rows.dtype == np.uint16


def test_every_id_is_below_the_vocabulary_size(dataset: Dataset) -> None:
    assert max(rows.max() for rows in [*dataset.train_rows(), dataset.val_rows()]) < dataset.vocab_size


def test_token_bytes_has_an_entry_for_each_id(dataset: Dataset) -> None:
    assert dataset.token_bytes.shape == (dataset.vocab_size,)
    assert dataset.token_bytes.dtype == np.int32
    assert dataset.token_bytes[dataset.bos] == 0


def test_a_shorter_context_predicts_the_same_tokens(dataset: Dataset) -> None:
    long, short = dataset.val_rows(), dataset.val_rows(16)
    assert short.shape == (4 * len(long), 17)
    assert (short[:, 1:].ravel() == long[:, 1:].ravel()).all()


def test_a_shorter_context_keeps_the_order_of_the_text(dataset: Dataset) -> None:
    short = dataset.val_rows(16)
    assert (short[1:4, 0] == short[:3, -1]).all()


def test_train_rows_of_a_shorter_context_hold_the_same_tokens_without_a_copy(dataset: Dataset) -> None:
    long, short = dataset.train_rows(), dataset.train_rows(32)
    predicted = [np.sort(np.concatenate([rows[:, 1:].ravel() for rows in shards])) for shards in (long, short)]
    assert (predicted[0] == predicted[1]).all()
    assert all(isinstance(rows, np.memmap) and rows.base is not None for rows in short)


@pytest.mark.parametrize("context", [128, 48, 0, -64])
def test_a_context_that_does_not_fit_names_both_and_the_command(dataset: Dataset, context: int) -> None:
    with pytest.raises(DataError, match=rf"context {context} does not divide the 64 .*prepare .* --context {context}"):
        dataset.train_rows(context)


def test_a_folder_that_is_not_there_is_told(dataset: Dataset) -> None:
    with pytest.raises(DataError, match=r"no prepared dataset in .*; make it with autoresearch prepare"):
        Dataset.open(dataset.path / "nowhere")


def test_a_newer_format_asks_for_an_upgrade(dataset: Dataset) -> None:
    meta = json.loads((dataset.path / "meta.json").read_text())
    (dataset.path / "meta.json").write_text(json.dumps({**meta, "format": 99}))
    with pytest.raises(DataError, match=r"has format 99, .* upgrade autoresearch"):
        Dataset.open(dataset.path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "settings": 3}'])
def test_a_damaged_description_is_told(dataset: Dataset, content: str) -> None:
    (dataset.path / "meta.json").write_text(content)
    with pytest.raises(DataError, match=r"delete .* and prepare it again"):
        Dataset.open(dataset.path)


@pytest.mark.parametrize("name", ["train-00000.npy", "val.npy", "token_bytes.npy"])
def test_a_missing_file_is_named(dataset: Dataset, name: str) -> None:
    (dataset.path / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing or damaged"):
        Dataset.open(dataset.path)


def test_a_cut_off_file_is_named(dataset: Dataset) -> None:
    file = dataset.path / "val.npy"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"val\.npy is missing or damaged"):
        Dataset.open(dataset.path)


def test_rows_of_another_dataset_are_noticed(dataset: Dataset) -> None:
    np.save(dataset.path / "val.npy", np.zeros((3, 9), dtype=np.uint16))
    with pytest.raises(DataError, match=r"val\.npy holds uint16 \(3, 9\), expected uint16"):
        Dataset.open(dataset.path)


def test_training_reads_nothing_of_the_test_split(dataset: Dataset) -> None:
    (dataset.path / "test" / "test.npy").unlink()
    opened = Dataset.open(dataset.path)
    assert len(opened.train_rows()) == 1
    assert len(opened.val_rows()) > 0


def test_a_trial_imports_no_library_of_the_corpus_side() -> None:
    code = (
        "import sys, autoresearch.data.dataset, autoresearch.data.loader; "
        "sys.exit(', '.join({'datasets', 'pandas', 'tiktoken', 'rustbpe', 'pyarrow'} "
        "& set(sys.modules)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr == ""
