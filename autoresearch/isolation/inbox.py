"""What a candidate has said and nobody has heard yet.

A thread of its own reads the channel, so that a candidate never waits for a slow listener, and notes when each message came:
deadlines are judged by that time, not by when somebody got round to it. Of the looks at a trial's progress that nobody
has heard, only the latest is kept, and the first at or past each tenth of the budget.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass

from autoresearch.progress import Progress

from .channel import Channel, Nonsense
from .feeder import Feeder
from .messages import Message, Next, Training, understand

_ENOUGH = 64  # messages that wait; an honest candidate has about a dozen at the most


@dataclass(frozen=True)
class Closed:
    """There will be no more messages."""

    complaint: str | None  # about the last one, if it made no sense


@dataclass(frozen=True)
class Letter:
    """A message, and when it came by `time.monotonic`."""

    content: Message | Closed
    at: float
    passing: bool = False  # a later one of its kind makes it worthless


class Inbox:
    """Reads a channel until its end."""

    def __init__(self, channel: Channel, feeder: Feeder | None = None) -> None:
        """Begin to read; a feeder answers the questions for training batches at once, whoever listens or not."""
        self._channel, self._feeder = channel, feeder
        self._letters: deque[Letter] = deque()
        self._tenths = 0
        self._arrival = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="autoresearch-inbox", daemon=True)
        self._thread.start()

    def take(self, deadline: float) -> Letter | None:
        """The next letter, or None if there is none by the deadline."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: self._letters, timeout=max(0.0, deadline - time.monotonic())):
                return None
            return self._letters.popleft()

    def close(self) -> None:
        """Hear no more."""
        self._channel.hang_up()
        self._thread.join()
        self._channel.close()

    def _read(self) -> None:
        while True:
            content = self._next()
            if isinstance(content, Next) and self._feeder is not None:
                if not self._feed(self._feeder):
                    continue
                content = Training()
            with self._arrival:
                if len(self._letters) >= _ENOUGH:
                    content = Closed("more messages than there is any reason for")
                self._keep(content)
                self._arrival.notify()
            if isinstance(content, Closed):
                return

    def _feed(self, feeder: Feeder) -> bool:
        """Hand out a batch; whether it is the first one."""
        is_first = feeder.began is None
        with contextlib.suppress(OSError):  # it is dead, and the next message will be that it is
            self._channel.send(feeder.answer())
        feeder.follow_up()
        return is_first

    def _next(self) -> Message | Closed:
        try:
            return understand(self._channel.receive())
        except (EOFError, OSError):
            return Closed(None)
        except Nonsense as nonsense:
            return Closed(str(nonsense))

    def _keep(self, content: Message | Closed) -> None:
        passing = False
        if isinstance(content, Progress):
            content = content if self._feeder is None else self._feeder.corrected(content)
            passing = content.tenths <= self._tenths
            self._tenths = max(self._tenths, content.tenths)
        if passing and self._letters and self._letters[-1].passing:
            self._letters.pop()
        self._letters.append(Letter(content, time.monotonic(), passing))
