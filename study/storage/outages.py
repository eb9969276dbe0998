"""A database that goes away for a minute is waited for; one that is full, damaged or gone for good is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autoresearch.errors import StorageError

from .faults import DATABASE_ERRORS, Fault, explain, fault_of, said

T = TypeVar("T")

_FIRST_DELAY = 0.1  # seconds; doubled each time
_LONGEST_DELAY = 5.0
_COLLISIONS = 20  # in a row, before two transactions in each other's way are more than chance


def _silent(line: str) -> None:
    pass


@dataclass(frozen=True)
class Patience:
    """How long an outage may last, and who is told. Clock and sleep are a test's to replace."""

    limit_seconds: float = 1800.0
    say: Callable[[str], None] = _silent  # one line when the waiting begins, one when it ends
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


IMPATIENT = Patience(limit_seconds=0.0)


class Outage:
    """An outage of one database; its beginning and its end are said once, however many threads wait for it to end."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._lock = threading.Lock()

    def begin(self, now: float) -> bool:
        """Whether this is news."""
        with self._lock:
            news = self._began is None
            self._began = now if news else self._began
        return news

    def end(self) -> float | None:
        """When it began, if that it ended is news."""
        with self._lock:
            began, self._began = self._began, None
        return began


def waiting_out(
    operation: Callable[[], T], patience: Patience, outage: Outage, where: str, path: Path | None = None
) -> T:
    """Run an operation on the database, again and again through a passing outage.

    Args:
        operation: What to run; it must bear repetition.
        patience: How long to wait.
        outage: The database's.
        where: The database, for people.
        path: The database's file; None for a server.

    Raises:
        StorageError: The database is full, damaged, read-only or refuses us, or the outage lasted too long.
    """
    began: float | None = None
    delay, collisions = _FIRST_DELAY, 0
    while True:
        try:
            result = operation()
        except DATABASE_ERRORS as error:
            fault = fault_of(error, path)
            if fault is None:
                raise
            if fault is Fault.COLLISION and collisions < _COLLISIONS:
                collisions += 1
                patience.sleep(_FIRST_DELAY)
                continue
            began = patience.clock() if began is None else began
            if fault is not Fault.AWAY or patience.clock() - began >= patience.limit_seconds:
                outage.end()
                raise StorageError(explain(error, where, path)) from error
            if outage.begin(began):
                limit = _duration(patience.limit_seconds)
                patience.say(f"the database {where} does not answer ({said(error)}): waiting for up to {limit}")
            patience.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
        else:
            if began is not None and (since := outage.end()) is not None:
                patience.say(f"the database {where} is back after {_duration(patience.clock() - since)}")
            return result


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
