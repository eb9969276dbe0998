"""kill -9 around a request: what was answered is not asked again, and what may have been paid stays in the account."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoresearch.study.model.messages import MESSAGES
from autoresearch.study.records import RequestState

from .conftest import COST, GOOD, GOOD_BLOCK, SOURCE, applied, context

if TYPE_CHECKING:
    from autoresearch.study.model.script import Turn
    from autoresearch.study.model.server import Asked

    from .conftest import Desk


@pytest.fixture
def child(sqlite_url: str) -> Child:
    return Child(sqlite_url)


class Child:
    """A worker in a process of its own."""

    def __init__(self, database: str) -> None:
        self._database = database
        self.process: subprocess.Popen[str] | None = None

    def ask(self, url: str, point: str) -> None:
        """Start it, and wait for its violent end."""
        script = Path(__file__).with_name("asking_process.py")
        arguments = [sys.executable, str(script), self._database, url, point]
        with subprocess.Popen(arguments, text=True) as self.process:
            assert self.process.wait(timeout=120) == -signal.SIGKILL

    def kill(self, asked: Asked) -> Turn:
        """What the server plays: it kills who asked while the reply is on its way."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return GOOD


def survive(desk: Desk) -> None:
    """Another worker, which looks first what dead ones have left."""
    desk.die()
    desk.ledger.reconcile(lambda trial: 0.0)


def test_killed_after_the_answer_was_written_down(desk: Desk, child: Child) -> None:
    server = desk.serve(GOOD)
    child.ask(server.url, "request:answered")
    survive(desk)
    edit = desk.editor().propose(context())
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)
    assert len(server.asked(MESSAGES)) == 1
    assert desk.asked() == []
    assert desk.ledger.requests.spent() == COST


def test_killed_before_the_request_was_sent(desk: Desk, child: Child) -> None:
    server = desk.serve(GOOD)
    child.ask(server.url, "request:sent")
    assert server.asked(MESSAGES) == []
    survive(desk)
    assert applied(desk.editor(GOOD).propose(context()))
    lost, answered = desk.requests()
    assert (lost.state, answered.state) == (RequestState.LOST, RequestState.ANSWERED)
    assert desk.ledger.requests.spent() == lost.reserved_usd + COST


def test_killed_while_the_reply_was_on_its_way(desk: Desk, child: Child) -> None:
    server = desk.serve(child.kill)
    child.ask(server.url, "nowhere")
    assert len(server.asked(MESSAGES)) == 1
    survive(desk)
    assert applied(desk.editor(GOOD).propose(context()))
    lost, _ = desk.requests()
    assert lost.state is RequestState.LOST
    assert desk.ledger.requests.spent() == lost.reserved_usd + COST
