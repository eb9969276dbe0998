"""The wire between a supervisor and a candidate: JSON objects with their length in front, over a socket.

JSON and not pickle, since to unpickle is to run what the other side likes.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from multiprocessing.connection import wait
from typing import Any

MAX_MESSAGE_BYTES = 2**18  # from a candidate; the longest list a model's tensors, some 4,000 of them
_LENGTH = struct.Struct("!I")


class Nonsense(Exception):  # noqa: N818 -- whose fault it is depends on the side
    """What arrived is no message."""


class Channel:
    """One end of the wire."""

    def __init__(self, end: socket.socket, longest: int = MAX_MESSAGE_BYTES) -> None:
        """Take over a connected socket; `longest` bounds the bytes of a message that is received."""
        self.socket, self._longest = end, longest

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message.

        Raises:
            OSError: The other side is gone.
        """
        content = json.dumps(message, allow_nan=False).encode()
        self.socket.sendall(_LENGTH.pack(len(content)) + content)

    def receive(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises:
            EOFError: The other side is gone.
            Nonsense: Too long, no JSON, or no object.
        """
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        if length > self._longest:
            raise Nonsense(f"a message over {self._longest} bytes")
        raw = self._read(length)
        try:
            message = json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise Nonsense(f"a message that is no JSON: {raw[:40]!r}") from error
        if not isinstance(message, dict):
            raise Nonsense(f"a message that is no object: {raw[:40]!r}")
        return message

    def poll(self, seconds: float) -> bool:
        """Whether something arrives, or the other side goes, within so many seconds."""
        return bool(wait([self.socket], seconds))

    def hang_up(self) -> None:
        """Let the other side, and whoever waits in `receive` on this side, see the end."""
        with contextlib.suppress(OSError):  # the other side was first
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the file descriptor back; nobody may be waiting in `receive`."""
        self.socket.close()

    def _read(self, count: int) -> bytes:
        content = bytearray()
        while len(content) < count:
            try:
                piece = self.socket.recv(min(count - len(content), 2**16))
            except ConnectionError as error:
                raise EOFError from error
            if not piece:
                raise EOFError
            content += piece
        return bytes(content)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")
