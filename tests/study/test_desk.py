"""What an editor is told of a text of its own before it gets a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.study.briefing.program import read_program
from autoresearch.study.desk import Desk
from autoresearch.study.editors.blocks import EditError
from autoresearch.study.folders import Folders
from autoresearch.study.measure import Bench
from autoresearch.study.preflight import Preflight
from autoresearch.study.records import Incumbent, Revision

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
def desk(night: Night, supervisor: Supervisor, tiny_dataset: Dataset, tmp_path: Path) -> Desk:
    settings = replace(SETTINGS, vocab_size=tiny_dataset.vocab_size, context=tiny_dataset.context, compiled=False)
    preflight = Preflight(lambda: supervisor, tiny_dataset, settings, tmp_path / "checks")
    bench = Bench(settings, tiny_dataset, detect("cpu"), supervisor, Folders(tmp_path / "folders"), preflight)
    return Desk(night.ledger, bench, night.plan(), read_program(), None)


def test_a_text_that_waits_for_its_trial_is_not_taken_a_second_time(
    night: Night, desk: Desk, first: Revision, incumbent: Incumbent, replay: Callable[..., Path]
) -> None:
    night.planner(replay(GOOD), policy=ALWAYS_EDIT).prefetch()
    text = first.source.replace(GOOD["search"], GOOD["replace"]) + "\n# in other words\n"
    context = desk.context(first, incumbent, frozenset())
    with pytest.raises(EditError, match=r"the text of one that waits for its trial \(edit 0\)"):
        context.check(text)
    desk.check(first, incumbent.values, text)  # of whoever comes back to it
    context.check(text.replace("0.86", "0.87"))
