"""How fast a run is, and how much memory it takes."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from .device import peak_memory, synchronize

WINDOW = 20  # optimizer steps: at 150 to 300 ms a step, the last 3 to 6 seconds


class Throughput(Callback):
    """Counts tokens, tokens a second, use of the device's arithmetic (MFU), and peak memory.

    Time runs from the start of the first training batch, so start-up and a budget's warm-up are not in it; validation inside
    the run is. The clock is read, and an accelerator synchronized, once an optimizer step. Counts are those of this process.

    Args:
        tokens_per_batch: Counts the tokens of a batch. By default the number of elements of its first tensor.
        flops_per_token: Floating point operations that training on one token takes, forward and backward.
        peak_flops: What the device could do at most, in floating point operations a second.
        clock: Returns seconds and never goes back.

    Attributes:
        tokens: Training tokens so far.
        peak_memory_bytes: On CUDA the most that tensors took since the first batch; on MPS the most seen at the end of a step
            that the driver had allocated; on the CPU the most that the process ever took. 0 before the first step has ended.
    """

    def __init__(
        self,
        tokens_per_batch: Callable[[Any], int] | None = None,
        flops_per_token: float | None = None,
        peak_flops: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._tokens_per_batch = tokens_per_batch or _elements_of_first_tensor
        self._flops_per_token = flops_per_token
        self._peak_flops = peak_flops
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self.tokens = 0
        self.peak_memory_bytes = 0
        self._began: float | None = None
        self._global_step = 0
        # Seconds since the start and the tokens by then: at the start, and at the ends of the last optimizer steps.
        self._marks: deque[tuple[float, int]] = deque(maxlen=WINDOW + 1)

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second from the first batch to the last optimizer step; 0.0 before that."""
        return _rate((0.0, 0), self._marks[-1]) if self._marks else 0.0

    @property
    def recent_tokens_per_second(self) -> float:
        """Tokens a second over the last `WINDOW` optimizer steps; 0.0 before the first."""
        return _rate(self._marks[0], self._marks[-1]) if self._marks else 0.0

    @property
    def mfu_percent(self) -> float | None:
        """Percent of ``peak_flops`` in use over the run, or None where one of the two numbers is not known."""
        if self._flops_per_token is None or self._peak_flops is None:
            return None
        return 100.0 * self._flops_per_token * self.tokens_per_second / self._peak_flops

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier fit."""
        self._reset()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock at the first batch."""
        if self._began is not None:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)
        synchronize(pl_module.device)
        self._global_step = trainer.global_step
        self._began = self._clock()
        self._marks.append((0.0, 0))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch; after an optimizer step, read the clock and the memory."""
        self.tokens += self._tokens_per_batch(batch)
        if trainer.global_step == self._global_step or self._began is None:
            return
        self._global_step = trainer.global_step
        synchronize(pl_module.device)
        self._marks.append((self._clock() - self._began, self.tokens))
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak_memory(pl_module.device))


def _rate(start: tuple[float, int], end: tuple[float, int]) -> float:
    """Tokens a second between two marks of (seconds, tokens); 0.0 where no time has passed."""
    seconds = end[0] - start[0]
    return (end[1] - start[1]) / seconds if seconds > 0 else 0.0


def _elements_of_first_tensor(batch: Any) -> int:
    """Count the elements of the first tensor in a batch of nested mappings and sequences."""
    first = next(_tensors(batch), None)
    if first is None:
        raise TypeError(
            f"Throughput found no tensor in a batch of type {type(batch).__name__!r}."
            " Pass `tokens_per_batch`, a function that counts the tokens of a batch."
        )
    return first.numel()


def _tensors(batch: Any) -> Iterator[torch.Tensor]:
    if isinstance(batch, torch.Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _tensors(value)
    elif isinstance(batch, Sequence) and not isinstance(batch, str):
        for value in batch:
            yield from _tensors(value)
