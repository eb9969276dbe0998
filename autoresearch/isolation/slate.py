"""The slate: memory that supervisor and candidate share, for tokens in one direction and logits in the other.

The candidate can write to it at any time, so who reads logits copies them before it reckons with them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .shared_memory import mapped, shared_memory

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class SlateShape:
    """How many rows fit, and of what."""

    rows: int
    context: int
    vocab_size: int

    @property
    def token_bytes(self) -> int:
        """Room for the tokens, in whole pages."""
        return -(-4 * self.rows * self.context // mmap.PAGESIZE) * mmap.PAGESIZE

    @property
    def size(self) -> int:
        """Room for everything."""
        return self.token_bytes + 4 * self.rows * self.context * self.vocab_size


class Slate:
    """A mapping of the shared memory."""

    def __init__(self, descriptor: int, shape: SlateShape) -> None:
        """Map a slate that exists; the descriptor stays the caller's."""
        self.shape = shape
        self._map = mapped(descriptor, shape.size)

    def write_tokens(self, tokens: Tensor) -> None:
        """Put `(B, T)` of any integer type there."""
        self._tokens(len(tokens)).copy_(tokens)

    def read_tokens(self, rows: int) -> Tensor:
        """A copy of the tokens, `(rows, T)` int64."""
        return self._tokens(rows).long()

    def write_logits(self, logits: Tensor) -> str:
        """Put `(B, T, V)` there; return the name of the type in which it stands there."""
        name = "bfloat16" if logits.dtype == torch.bfloat16 else "float32"
        self._logits(len(logits), name).copy_(logits)
        return name

    def read_logits(self, rows: int, dtype: str, device: torch.device) -> Tensor:
        """A copy of the logits, `(rows, T, V)`, on the device: what is written to the slate later cannot change it."""
        return self._logits(rows, dtype).to(device, copy=True)

    def _tokens(self, rows: int) -> Tensor:
        count = rows * self.shape.context
        return torch.frombuffer(self._map, dtype=torch.int32, count=count).view(rows, -1)

    def _logits(self, rows: int, dtype: str) -> Tensor:
        shape = (rows, self.shape.context, self.shape.vocab_size)
        offset = self.shape.token_bytes
        flat = torch.frombuffer(self._map, dtype=_DTYPES[dtype], count=int(np.prod(shape)), offset=offset)
        return flat.view(shape)


@contextmanager
def new_slate(shape: SlateShape) -> Iterator[tuple[int, Slate]]:
    """Make one, with a descriptor for handing it on."""
    with shared_memory(shape.size) as descriptor:
        yield descriptor, Slate(descriptor, shape)
