"""Ctrl-C and SIGTERM: the first drops the trial in flight and ends in good order, the second ends at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


class Interrupts:
    """A context in which the two signals wait for a place where it is safe to act on them.

    Outside `allowed`, a first signal only sets `received`: a write to the database is never cut in two. Inside, it
    raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._allowed = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended."""
        return 128 + (self.received or 0)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """A stretch that may be left at any point."""
        if self.received:
            raise KeyboardInterrupt
        self._allowed = True
        try:
            yield
        finally:
            self._allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """A stretch inside an allowed one that may not be left half done; the signal acts at its end."""
        before, self._allowed = self._allowed, False
        try:
            yield
        finally:
            self._allowed = before
        if before and self.received:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            # The trial's process ends by itself when its channel to this one closes.
            os._exit(128 + number)
        self.received = signal.Signals(number)
        if self._allowed:
            raise KeyboardInterrupt
