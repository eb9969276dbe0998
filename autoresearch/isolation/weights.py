"""What a candidate has learned, on its way to the processes that answer the judge's questions.

A plain copy of the tensors' bytes with a list of what they are: nothing is unpickled. The candidate that wrote it is dead before
it is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoresearch.errors import TrialError

from .shared_memory import mapped

_ALIGNMENT = 64
_DTYPES: dict[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.complex64,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    )
}
DTYPE_NAMES = tuple(_DTYPES)


@dataclass(frozen=True)
class TensorEntry:
    """One tensor: its name in the model's `state_dict`, and what it is."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes, up to where the next one may begin."""
        plain = math.prod(self.shape) * _DTYPES[self.dtype].itemsize
        return -(-plain // _ALIGNMENT) * _ALIGNMENT


def total_size(entries: tuple[TensorEntry, ...]) -> int:
    """Bytes that all of them take, one after the other."""
    return sum(entry.size for entry in entries)


def write_weights(descriptor: int, room: int, state: Mapping[str, Any]) -> tuple[TensorEntry, ...]:
    """Copy a `state_dict` into shared memory.

    Raises:
        TrialError: It holds something else than tensors, or more than there is room for.
    """
    entries = tuple(_entry(name, value) for name, value in state.items())
    size = total_size(entries)
    if size > room:
        raise TrialError(f"the model's state takes {size / 2**30:.1f} GiB, expected at most {room / 2**30:.1f} GiB")
    memory = mapped(descriptor, max(size, 1))
    for entry, place in _places(entries):
        if math.prod(entry.shape):
            _view(memory, entry, place).copy_(state[entry.name])
    return entries


def read_weights(descriptor: int, entries: tuple[TensorEntry, ...]) -> dict[str, Tensor]:
    """Copies of the tensors, by name."""
    memory = bytearray(mapped(descriptor, max(total_size(entries), 1), writable=False))
    return {
        entry.name: _view(memory, entry, place) if math.prod(entry.shape) else torch.empty(entry.shape)
        for entry, place in _places(entries)
    }


def _entry(name: str, value: Any) -> TensorEntry:
    if not isinstance(value, Tensor):
        raise TrialError(f"{name} in the model's state_dict is a {type(value).__name__}: expected tensors alone")
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in _DTYPES or value.layout is not torch.strided:
        raise TrialError(
            f"{name} in the model's state_dict is a {dtype} of layout {value.layout}: expected a dense tensor of "
            f"{', '.join(DTYPE_NAMES)}"
        )
    return TensorEntry(name, dtype, tuple(value.shape))


def _places(entries: tuple[TensorEntry, ...]) -> list[tuple[TensorEntry, int]]:
    places, offset = [], 0
    for entry in entries:
        places.append((entry, offset))
        offset += entry.size
    return places


def _view(memory: Any, entry: TensorEntry, place: int) -> Tensor:
    dtype, count = _DTYPES[entry.dtype], math.prod(entry.shape)
    return torch.frombuffer(memory, dtype=dtype, count=count, offset=place).view(entry.shape)
