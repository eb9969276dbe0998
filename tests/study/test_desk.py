"""What an editor is told of a text of its own before it gets a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.revision import with_defaults
from autoresearch.study.briefing.lessons import EVERY
from autoresearch.study.briefing.program import read_program
from autoresearch.study.desk import Desk
from autoresearch.study.editors.blocks import EditError
from autoresearch.study.editors.paid import PaidModel
from autoresearch.study.folders import Folders
from autoresearch.study.measure import Bench
from autoresearch.study.model.access import Access
from autoresearch.study.model.client import Client
from autoresearch.study.model.prices import Price
from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import ModelServer
from autoresearch.study.preflight import Preflight
from autoresearch.study.records import Incumbent, Purpose, RequestRecord, Revision

from .scored_night import ALWAYS_EDIT, GOOD, SETTINGS, Night

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    with Supervisor(tmp_path_factory.mktemp("cache"), rehearse=False, compiles=False) as running:
        yield running


@pytest.fixture
def incumbent(night: Night) -> Incumbent:
    planner = night.planner()
    night.baseline(planner)
    incumbent = night.ledger.incumbent()
    assert incumbent is not None
    return incumbent


@pytest.fixture
def begin(night: Night, supervisor: Supervisor, tiny_dataset: Dataset, tmp_path: Path) -> Callable[..., Desk]:
    """A desk, perhaps with a model that keeps notes."""
    settings = replace(SETTINGS, vocab_size=tiny_dataset.vocab_size, context=tiny_dataset.context, compiled=False)
    preflight = Preflight(lambda: supervisor, tiny_dataset, settings, tmp_path / "checks")
    bench = Bench(settings, tiny_dataset, detect("cpu"), supervisor, Folders(tmp_path / "folders"), preflight)
    return lambda model=None: Desk(night.ledger, bench, night.plan(), read_program(), model)


def test_a_text_that_waits_for_its_trial_is_not_taken_a_second_time(
    night: Night, begin: Callable[..., Desk], first: Revision, incumbent: Incumbent, replay: Callable[..., Path]
) -> None:
    desk = begin()
    night.planner(replay(GOOD), policy=ALWAYS_EDIT).prefetch()
    text = first.source.replace(GOOD["search"], GOOD["replace"]) + "\n# in other words\n"
    context = desk.context(first, incumbent, frozenset())
    with pytest.raises(EditError, match=r"the text of one that waits for its trial \(edit 0\)"):
        context.check(text)
    [(_, waiting)] = night.ledger.waiting()
    desk.check(first, incumbent.values, text, own=waiting.key)  # of whoever comes back to it
    context.check(text.replace("0.86", "0.87"))


def test_the_incumbent_as_best_writes_it_is_nothing_new(
    night: Night, begin: Callable[..., Desk], first: Revision, incumbent: Incumbent
) -> None:
    sample, _ = night.next(night.planner(), 1.2)
    assert sample.values != incumbent.values
    written = with_defaults(first.source, sample.values)
    with pytest.raises(EditError, match="changes nothing but comments or layout"):
        begin().check(first, sample.values, written)


def test_notes_that_another_worker_waits_for_are_not_asked_for_as_well(
    night: Night, begin: Callable[..., Desk], first: Revision, incumbent: Incumbent
) -> None:
    planner = night.planner()
    for _ in range(EVERY):
        night.next(planner, 1.6)
    book = night.ledger.requests
    theirs = book.reserve(RequestRecord("theirs", Purpose.LESSONS, "m", "", [], Decimal(1), night.worker), None)
    assert theirs is not None
    with ModelServer(Script([Turn("depth helps")])) as server, closing(Client("m", Access(server.url))) as client:
        desk = begin(PaidModel(client, Price(Decimal(0), Decimal(0)), book, lambda: night.worker, None))
        assert "depth helps" not in desk.context(first, incumbent, frozenset()).briefing.changing
        assert server.asked() == []
        book.failed(theirs, "no", cost_usd=Decimal(0))
        assert "depth helps" in desk.context(first, incumbent, frozenset()).briefing.changing
        assert len(server.asked()) == 1
