"""The tape: memory through which the supervisor hands out the training tokens, one batch at a time.

A candidate asks for a batch and gets the number of the slot that holds it; while it trains, the supervisor writes the next
one to the other slot. So it never holds the data, their order or a path to them, and who hands out can count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shared_memory import mapped

SLOTS = 2


@dataclass(frozen=True)
class TapeShape:
    """The shape of a batch."""

    rows: int
    length: int  # of a row, T + 1 tokens

    @property
    def size(self) -> int:
        """Bytes for all slots."""
        return SLOTS * self.rows * self.length * np.dtype(np.uint16).itemsize


class Tape:
    """A mapping of the tape."""

    def __init__(self, descriptor: int, shape: TapeShape, *, writable: bool) -> None:
        """Map a tape that exists; the descriptor stays the caller's."""
        self.shape = shape
        memory = mapped(descriptor, shape.size, writable=writable)
        self._slots = np.frombuffer(memory, dtype=np.uint16).reshape(SLOTS, shape.rows, shape.length)

    def slot(self, number: int) -> np.ndarray:
        """The rows of one slot, `(B, T + 1)` uint16."""
        rows: np.ndarray = self._slots[number]
        return rows
