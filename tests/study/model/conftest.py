"""A client and a server on this machine; its clock is the list of the pauses that it made."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from autoresearch.study.model.access import Access
from autoresearch.study.model.client import Client
from autoresearch.study.model.errors import ModelError
from autoresearch.study.model.messages import Part, user
from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import Asked, ModelServer, Played

KEY = "sk-ant-a-key-that-nobody-may-see"
SYSTEM = [Part("You improve train.py.", cached=True)]
QUESTION = [user(Part("the source", cached=True), "what was tried")]
GOOD = Turn(text="TITLE: wider\n" + "é" * 1_000, usage={"input_tokens": 12, "output_tokens": 340})


class Line:
    """Servers, and clients that talk to them; `pauses` and `notes` say what the clients did in between."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.pauses: list[float] = []
        self.notes: list[str] = []

    def server(self, *turns: Turn | Callable[[Asked], Turn], count: Turn | None = None) -> ModelServer:
        return self.playing(Script(turns, count))

    def playing(self, play: Callable[[Asked], Played]) -> ModelServer:
        return self._stack.enter_context(ModelServer(play))

    def client(self, url: str, **options: Any) -> Client:
        given: dict[str, Any] = {"sleep": self.pauses.append, "note": self.notes.append, "silence": 30.0}
        client = Client("claude-opus-5-5", Access(url, api_key=KEY), **(given | options))
        self._stack.callback(client.close)
        return client


@pytest.fixture
def line() -> Iterator[Line]:
    with ExitStack() as stack:
        yield Line(stack)


def failure(line: Line, *turns: Turn, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        line.client(line.server(*turns).url, **options).ask(SYSTEM, QUESTION)
    shown = str(caught.value)
    assert shown.isprintable()
    assert len(shown) < 500
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value
