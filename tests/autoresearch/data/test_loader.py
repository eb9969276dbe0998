from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from autoresearch.data.dataset import Dataset
from autoresearch.data.loader import Batch, TrainBatches
from autoresearch.errors import DataError

WIDTH = 9


def shards(*sizes: int) -> list[np.ndarray]:
    """Rows that count on from a number of their own: row r begins with 100 r."""
    starts = 100 * np.arange(sum(sizes), dtype=np.uint16)
    rows = starts[:, None] + np.arange(WIDTH, dtype=np.uint16)
    return list(np.split(rows, np.cumsum(sizes)[:-1]))


def take(count: int, batch_size: int = 4, seed: int = 0, sizes: tuple[int, ...] = (5, 7, 3)) -> list[Batch]:
    return list(islice(TrainBatches(shards(*sizes), batch_size, seed), count))


def rows_of(batches: list[Batch]) -> list[int]:
    return [row // 100 for tokens, _ in batches for row in tokens[:, 0].tolist()]


def test_tokens_and_targets_are_int64_of_batch_by_context() -> None:
    tokens, targets = take(1)[0]
    assert tokens.shape == targets.shape == (4, WIDTH - 1)
    assert tokens.dtype == targets.dtype == torch.int64
    assert tokens.is_contiguous()
    assert targets.is_contiguous()


def test_targets_are_the_tokens_that_follow() -> None:
    for tokens, targets in take(20):
        assert (targets == tokens + 1).all()


def test_each_row_comes_once_an_epoch_even_where_a_batch_spans_two() -> None:
    rows = rows_of(take(15))  # 60 rows: four epochs of 15
    for epoch in range(4):
        assert sorted(rows[15 * epoch : 15 * (epoch + 1)]) == list(range(15))


def test_epochs_have_orders_of_their_own() -> None:
    rows = rows_of(take(15))
    assert len({tuple(rows[at : at + 15]) for at in range(0, 60, 15)}) == 4


def test_the_same_seed_gives_the_same_batches() -> None:
    assert rows_of(take(10, seed=3)) == rows_of(take(10, seed=3))


def test_another_seed_gives_another_order() -> None:
    assert rows_of(take(10, seed=3)) != rows_of(take(10, seed=4))


def test_the_order_is_the_same_in_any_process() -> None:
    assert rows_of(take(2, batch_size=5, seed=1)) == [9, 2, 14, 4, 12, 7, 5, 0, 11, 8]


def test_iterating_again_begins_again() -> None:
    batches = TrainBatches(shards(9), 2, seed=0)
    assert rows_of(list(islice(batches, 5))) == rows_of(list(islice(batches, 5)))


def test_how_rows_lie_in_shards_changes_nothing() -> None:
    assert rows_of(take(8, sizes=(15,))) == rows_of(take(8, sizes=(1, 13, 1)))


def test_a_batch_is_not_overwritten_by_the_next() -> None:
    batches = iter(TrainBatches(shards(20), 4, seed=0))
    tokens, _ = next(batches)
    before = tokens.clone()
    for _ in islice(batches, 5):
        pass
    assert (tokens == before).all()


def test_ids_up_to_two_bytes_arrive_unchanged() -> None:
    rows = np.array([[65_535, 32_768, 0]], dtype=np.uint16)
    tokens, targets = next(iter(TrainBatches([rows], 1, seed=0)))
    assert (tokens.tolist(), targets.tolist()) == ([[65_535, 32_768]], [[32_768, 0]])


def test_a_batch_may_take_all_rows() -> None:
    assert sorted(rows_of(take(1, batch_size=15))) == list(range(15))


@pytest.mark.parametrize("batch_size", [0, 16])
def test_a_batch_that_the_rows_cannot_fill_is_told(batch_size: int) -> None:
    with pytest.raises(DataError, match=f"batches of {batch_size} rows from 15 training rows: expected 1 to 15"):
        TrainBatches(shards(15), batch_size, seed=0)


def test_prepared_rows_of_a_shorter_context_are_all_loaded(dataset: Dataset) -> None:
    rows = dataset.train_rows(16)
    batches = TrainBatches(rows, 4, seed=0)
    loaded = torch.cat([torch.cat(batch, dim=1) for batch in islice(batches, batches.rows)])
    counted = np.bincount(np.concatenate([shard[:, 1:].ravel() for shard in rows]), minlength=300)
    assert np.bincount(loaded[:, 16:].ravel().numpy(), minlength=300).tolist() == (4 * counted).tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_on_cuda_are_those_on_the_cpu() -> None:
    on_cpu = islice(TrainBatches(shards(500, 100), 32, seed=0), 300)
    on_cuda = list(islice(TrainBatches(shards(500, 100), 32, seed=0, device="cuda"), 300))
    for expected, found in zip(on_cpu, on_cuda, strict=True):
        assert torch.equal(expected[0], found[0].cpu())
        assert torch.equal(expected[1], found[1].cpu())
