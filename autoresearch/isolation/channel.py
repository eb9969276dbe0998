"""The wire between a supervisor and a candidate: JSON objects with their length in front, over a socket.

JSON and not pickle, since to unpickle is to run what the other side likes. The standard library's `Connection` does the
framing; nothing else of `multiprocessing` is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

MAX_MESSAGE_BYTES = 2**18  # the longest are a revision's knobs and a job's list of files


class Nonsense(Exception):  # noqa: N818 -- whose fault it is depends on the side
    """What arrived is no message."""


class Channel:
    """One end of the wire."""

    def __init__(self, end: socket.socket) -> None:
        """Take over a connected socket."""
        self.socket = end
        self._connection = Connection(os.dup(end.fileno()))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message.

        Raises:
            OSError: The other side is gone.
        """
        self._connection.send_bytes(json.dumps(message, allow_nan=False).encode())

    def receive(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises:
            EOFError: The other side is gone.
            Nonsense: Too long, no JSON, or no object.
        """
        try:
            raw = self._connection.recv_bytes(MAX_MESSAGE_BYTES)
        except EOFError:
            raise
        except OSError as error:
            if self._connection.closed or isinstance(error, ConnectionError):
                raise EOFError from error
            raise Nonsense(f"a message over {MAX_MESSAGE_BYTES} bytes") from error
        try:
            message = json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise Nonsense(f"a message that is no JSON: {raw[:40]!r}") from error
        if not isinstance(message, dict):
            raise Nonsense(f"a message that is no object: {raw[:40]!r}")
        return message

    def poll(self, seconds: float) -> bool:
        """Whether something arrives, or the other side goes, within so many seconds."""
        return self._connection.poll(seconds)

    def hang_up(self) -> None:
        """Let the other side, and whoever waits in `receive` on this side, see the end."""
        with contextlib.suppress(OSError):  # the other side was first
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the file descriptors back; nobody may be waiting in `receive`."""
        self._connection.close()
        self.socket.close()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")
