"""The local server itself: what it hides, and what it must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoresearch.study.model.access import Access
from autoresearch.study.model.client import Client
from autoresearch.study.model.errors import ModelMisused, ModelUnavailable
from autoresearch.study.model.messages import user
from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import Asked, ModelServer

if TYPE_CHECKING:
    from .conftest import Line


def test_a_script_that_fails_is_not_hidden() -> None:
    def failing(asked: Asked) -> Turn:
        raise KeyError("a slip in the test")

    server = ModelServer(Script([failing])).start()
    client = Client("m", Access(server.url))
    with pytest.raises(ModelUnavailable, match="was lost"):
        client.ask([], [user("?")])
    client.close()
    with pytest.raises(KeyError, match="a slip in the test"):
        server.close()


def test_a_turn_may_depend_on_the_request(line: Line) -> None:
    server = line.server(lambda asked: Turn(text=f"you said {asked.body['messages'][0]['content'][0]['text']}"))
    assert line.client(server.url).ask([], [user("hello")]).text == "you said hello"


def test_after_the_script_has_ended_nothing_can_be_had(line: Line) -> None:
    client = line.client(line.server(Turn(text="one")).url)
    client.ask([], [user("?")])
    with pytest.raises(ModelMisused, match="the script has ended after 1 replies"):
        client.ask([], [user("?")])


def test_a_reply_that_is_held_arrives_when_it_is_released(line: Line) -> None:
    server = line.server(Turn(text="late", is_held=True))
    client = line.client(server.url)
    server.release()
    assert client.ask([], [user("?")]).text == "late"
