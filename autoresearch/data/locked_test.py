"""The test split: opened once, by the final report, and by nothing that trains, searches or promotes."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset, load_array

TEST_ROWS = "test/test.npy"


def open_test_rows(dataset: Dataset, context: int | None = None) -> np.ndarray:
    """Return the test split, (rows, T + 1) uint16, in order; see `Dataset.train_rows` for `context`."""
    rows = int(dataset.meta["splits"]["test"]["shard_rows"][0])
    return dataset.in_order(load_array(dataset.path / TEST_ROWS, (rows, dataset.context + 1), np.uint16), context)
