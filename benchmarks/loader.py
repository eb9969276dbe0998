"""Tokens a second that `TrainBatches` delivers from memory-mapped rows on the CPU.

The target is 50 M/s at T = 2,048, B = 32: thirty times what one H100 trains on.

    python benchmarks/loader.py
"""

from __future__ import annotations

import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

from autoresearch.data.loader import TrainBatches
from autoresearch.data.store import write_array

SHARD_TOKENS = 50_000_000
SHARDS = 2
SECONDS = 1.5


def measure(shards: list[np.ndarray], batch_size: int) -> float:
    batches = iter(TrainBatches(shards, batch_size, seed=0))
    for _ in islice(batches, 3):
        pass
    tokens, begin = 0, time.perf_counter()
    while (seconds := time.perf_counter() - begin) < SECONDS:
        for inputs, _ in islice(batches, 10):
            tokens += inputs.numel()
    return tokens / seconds


def main() -> None:
    print(f"{'T':>6}{'B':>6}{'M tokens/s':>12}")
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for context, batch_sizes in ((128, (8, 32)), (256, (8, 32)), (2048, (8, 32, 128))):
            shards = []
            for number in range(SHARDS):
                path = Path(folder, f"{context}-{number}.npy")
                shape = (SHARD_TOKENS // context, context + 1)
                write_array(path, random.integers(0, 8192, size=shape, dtype=np.uint16))
                shards.append(np.load(path, mmap_mode="r"))
            for batch_size in batch_sizes:
                print(f"{context:>6}{batch_size:>6}{measure(shards, batch_size) / 1e6:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
