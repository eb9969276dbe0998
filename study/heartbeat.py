"""A worker's lease: opened, renewed from a thread of its own while the worker waits for a trial, closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from autoresearch.errors import AutoresearchError

from .storage.leases import TTL_SECONDS, Phase
from .storage.ledger import Ledger

# Several chances within a lease: a database that is away for a minute costs nothing.
_BEATS_A_LEASE = 6


class Heartbeat:
    """A context in which this process is a worker of a run.

    Attributes:
        worker: The id under which it is signed on.
    """

    def __init__(self, ledger: Ledger, run: str, note: Callable[[str], None], ttl: float = TTL_SECONDS) -> None:
        self._ledger, self._run, self._note, self._ttl = ledger, run, note, ttl
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._phase = Phase.SEARCH
        self.worker = ""

    def __enter__(self) -> Self:
        self.worker = self._ledger.open_lease(self._run, ttl=self._ttl)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(timeout=self._ttl / _BEATS_A_LEASE)
        self._ledger.close_lease(self.worker)

    def sign_on_again(self) -> None:
        """Go on under another id, after other workers took this one for dead and gave its trial up."""
        self._note("this worker could not be reached for too long, and its last trial was given up; it goes on")
        self.worker = self._ledger.open_lease(self._run, self._phase, self._ttl)

    def confirming(self) -> None:
        """Tell the other workers that this one's search is over."""
        self._phase = Phase.CONFIRM
        self._ledger.set_phase(self.worker, self._phase)

    def _beat(self) -> None:
        while not self._over.wait(self._ttl / _BEATS_A_LEASE):
            try:
                self._ledger.renew(self.worker, self._ttl)  # where that fails, the next claim finds out
            except AutoresearchError as error:
                self._note(f"could not renew this worker's lease: {error}")
