"""Training batches from packed rows: slices of memory maps, the same for the same seed.

On CUDA the rows cross the bus as two-byte ids from pinned memory while the device computes, and widen there.
Two host buffers take turns, each with an event behind its copy: one buffer without an event is overwritten by
a fast host while the device still reads it, which corrupts batches without a sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count

import numpy as np
import torch

from autoresearch.errors import DataError

from .order import permutation

Batch = tuple[torch.Tensor, torch.Tensor]
Fill = Callable[[np.ndarray], object]  # writes one batch of rows into an array of their shape


class RowBatches:
    """Which rows make which batch: each epoch is a permutation of all rows that depends on seed and epoch.

    A batch may reach from one epoch into the next, so each row comes exactly once an epoch.
    """

    def __init__(self, rows: Sequence[np.ndarray], batch_size: int, seed: int) -> None:
        """Prepare; nothing is read yet.

        Args:
            rows: shards of (rows, T + 1) uint16, as `Dataset.train_rows` gives them.
            batch_size: rows of a batch, B.
            seed: decides the order, and nothing else does.
        """
        total = sum(map(len, rows))
        if batch_size < 1 or total < batch_size:
            raise DataError(
                f"cannot make batches of {batch_size} rows from {total} training rows: expected 1 to "
                f"{total}; choose a smaller batch or a larger corpus"
            )
        self.rows = total
        self.shape = (batch_size, rows[0].shape[1])  # (B, T + 1)
        self._shards = list(rows)
        self._ends = np.cumsum([len(shard) for shard in rows])  # (shards,)
        self._seed = seed

    def picks(self) -> Iterator[np.ndarray]:
        """Yield the row numbers of each batch, (B,), without end."""
        batch_size = self.shape[0]
        waiting = np.empty(0, dtype=np.int64)
        for epoch in count():
            waiting = np.concatenate((waiting, permutation(self.rows, self._seed, epoch)))
            whole = len(waiting) // batch_size * batch_size
            yield from waiting[:whole].reshape(-1, batch_size)
            waiting = waiting[whole:]

    def gather(self, picked: np.ndarray, out: np.ndarray) -> None:
        """Copy the picked rows, (B,), into `out`, (B, T + 1)."""
        shards = np.searchsorted(self._ends, picked, side="right")
        for at, (row, shard) in enumerate(zip(picked.tolist(), shards.tolist(), strict=True)):
            out[at] = self._shards[shard][row - self._ends[shard]]  # negative: counted from the shard's end


class TrainBatches(RowBatches):
    """Endless batches on a device. Every iteration over the object starts from the beginning."""

    def __init__(
        self,
        rows: Sequence[np.ndarray],
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """As `RowBatches`, with the device where the tensors shall be."""
        super().__init__(rows, batch_size, seed)
        self._device = torch.device(device)

    def __iter__(self) -> Iterator[Batch]:
        """Yield `(tokens, targets)`, each (B, T) int64 on the device, without end."""
        fills = (partial(self.gather, picked) for picked in self.picks())
        return on_device(fills, self.shape, self._device)


def on_device(fills: Iterable[Fill], shape: tuple[int, int], device: torch.device) -> Iterator[Batch]:
    """Turn batches of rows, (B, T + 1) each, into `(tokens, targets)`, each (B, T) int64 on the device."""
    return _on_cuda(fills, shape, device) if device.type == "cuda" else _on_host(fills, shape, device)


def _on_host(fills: Iterable[Fill], shape: tuple[int, int], device: torch.device) -> Iterator[Batch]:
    buffer = np.empty(shape, dtype=np.uint16)
    for fill in fills:
        fill(buffer)
        tokens, targets = buffer[:, :-1].astype(np.int64), buffer[:, 1:].astype(np.int64)
        yield torch.from_numpy(tokens).to(device), torch.from_numpy(targets).to(device)


def _on_cuda(fills: Iterable[Fill], shape: tuple[int, int], device: torch.device) -> Iterator[Batch]:
    buffers = [torch.empty(shape, dtype=torch.uint16, pin_memory=True) for _ in range(2)]
    copied = [torch.cuda.Event() for _ in buffers]  # type: ignore[no-untyped-call]
    for turn, fill in enumerate(fills):
        buffer, event = buffers[turn % 2], copied[turn % 2]
        event.synchronize()  # returns at once the first time, when nothing was recorded
        fill(buffer.numpy())
        there = buffer.to(device, non_blocking=True)
        event.record(torch.cuda.current_stream(device))
        # A strided slice widens into a tensor of its own, dense and contiguous.
        yield there[:, :-1].to(torch.int64), there[:, 1:].to(torch.int64)
