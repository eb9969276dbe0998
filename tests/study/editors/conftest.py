"""A study on its desk: a real database, a real client, and a real server that plays what the model says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import autoresearch
from autoresearch.static_check import check_source
from autoresearch.study.editors.anthropic import AnthropicEditor
from autoresearch.study.editors.blocks import apply
from autoresearch.study.editors.editor import Briefing, EditContext
from autoresearch.study.editors.paid import PaidModel
from autoresearch.study.model.access import Access
from autoresearch.study.model.client import Client
from autoresearch.study.model.prices import TABLE, Price
from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import Asked, ModelServer
from autoresearch.study.records import Edit, RequestRecord, Revision
from autoresearch.study.storage import Database, Ledger, create_study, open_study

KEY = "sk-ant-a-key-that-nobody-may-see"
SOURCE = Path(autoresearch.__file__).with_name("train.py").read_text(encoding="utf-8")
PROGRAM = "f" * 64
PLACE = "import math\n"
OTHER = SOURCE.replace(PLACE, PLACE + "import functools\n", 1)  # what another edit made of it
OPUS = TABLE["claude-opus-5-5"]
USAGE = {"input_tokens": 1_000, "output_tokens": 500, "cache_read_input_tokens": 10_000}
COST = Decimal("0.016")  # .004 + .01 + .002

GOOD_BLOCK = (PLACE, PLACE + "import itertools\n")


def replying(*blocks: tuple[str, str], title: str = "an import", usage: dict[str, Any] | None = USAGE) -> Turn:
    """A reply with blocks."""
    texts = [f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n" for search, replace in blocks]
    return Turn(text=f"TITLE: {title}\nHYPOTHESIS: it helps\n\n" + "\n".join(texts), usage=usage)


def whole(source: str) -> Turn:
    return Turn(text=f"TITLE: all of it\nHYPOTHESIS: h\n\n```python\n{source}```\n", usage=USAGE)


def wordy(turn: Turn) -> Turn:
    """The same reply after 60,000 characters of thought."""
    return replace(turn, text="I wonder. " * 6_000 + "\n\n" + turn.text)


GOOD = replying(GOOD_BLOCK)
UNMATCHED = replying(("no such line in the file\n", "x = 1\n"))
AMBIGUOUS = replying(("    @torch.no_grad()\n", "    @torch.inference_mode()\n"))
SYNTAX = replying((PLACE, "import math (\n"), title="a slip")


def hash_of(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


class Desk:
    """A study with its database, and a model that it talks to."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._stack = stack
        self.db = Database.open(url)
        stack.callback(self.db.close)
        self._study = create_study(self.db, "night", {}, Revision(hash_of(SOURCE), SOURCE, {}))
        self.observed: list[str] = []
        self._sign_on()
        self.pauses: list[float] = []

    def _sign_on(self) -> None:
        self.ledger = Ledger(self.db, open_study(self.db, "night"), observe=self.observed.append)
        self.worker = self.ledger.open_lease(self.ledger.start_run({}))

    def die(self) -> None:
        """The worker ends without a word, and another begins; its lease runs out meanwhile."""
        self.ledger.close_lease(self.worker)
        self._sign_on()

    def serve(self, *turns: Turn | Callable[[Asked], Turn]) -> ModelServer:
        self.server = self._stack.enter_context(ModelServer(Script(turns)))
        return self.server

    def model(
        self, *turns: Turn | Callable[[Asked], Turn], cap: str | None = None, price: Price = OPUS, **options: Any
    ) -> PaidModel:
        given: dict[str, Any] = {"sleep": self.pauses.append, **options}
        client = Client("claude-opus-5-5", Access(self.serve(*turns).url, api_key=KEY), **given)
        self._stack.callback(client.close)
        return PaidModel(
            client, price, self.ledger.requests, lambda: self.worker, None if cap is None else Decimal(cap)
        )

    def editor(self, *turns: Turn | Callable[[Asked], Turn], **options: Any) -> AnthropicEditor:
        return AnthropicEditor(self.model(*turns, **options))

    def asked(self) -> list[Asked]:
        return self.server.asked()

    def told(self, number: int = -1) -> str:
        """What the last turn of a request says."""
        said = self.asked()[number].body["messages"][-1]
        assert said["role"] == "user"
        return str(said["content"][-1]["text"])

    def requests(self) -> list[RequestRecord]:
        return self.ledger.requests.history()

    def story(self) -> list[tuple[str, str]]:
        return [(str(request.purpose), str(request.state)) for request in self.requests()]


@pytest.fixture
def desk(sqlite_url: str) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(sqlite_url, stack)


def context(
    check: Callable[[str], None] = check_source, source: str = SOURCE, used: frozenset[str] = frozenset()
) -> EditContext:
    briefing = Briefing("the rules", f"train.py:\n{source}", "what was tried", PROGRAM)
    return EditContext(source, hash_of(source), used, briefing, check)


def applied(edit: Edit) -> str:
    assert edit.error == ""
    return apply(SOURCE, edit.blocks)
