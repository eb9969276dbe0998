"""An edit that waits while another is promoted: it becomes an edit of that one, and is checked again beside the trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event

import pytest

from autoresearch.errors import TrialError
from autoresearch.knobs import KnobValue
from autoresearch.study.edit_queue import Check
from autoresearch.study.editors.blocks import EditError
from autoresearch.study.planner import Planner
from autoresearch.study.records import Kind, Revision, Status, TrialRecord

from .scored_night import ALWAYS_EDIT, GOOD, OTHER, PATIENCE, Night, SlowReplay, drafts_end

THIRD = {"search": "MUON_BETA2 = 0.95", "replace": "MUON_BETA2 = 0.9"}


class Checks:
    """A check that takes until it is told to end, writes down what it was given, and finds nothing but what it is told to."""

    def __init__(self, finds: Exception | None = None) -> None:
        self.texts: list[str] = []
        self.own: list[str] = []
        self.may_end = Event()
        self._finds = finds

    def __call__(self, base: Revision, values: Mapping[str, KnobValue], source: str, *, own: str) -> None:
        self.texts.append(source)
        self.own.append(own)
        self.may_end.wait(PATIENCE)
        if self._finds is not None:
            raise self._finds

    def end(self) -> None:
        self.may_end.set()
        drafts_end()


def both_in(source: str) -> bool:
    return GOOD["replace"] in source and OTHER["replace"] in source


@pytest.fixture
def another_editor(replay: Callable[..., Path]) -> Iterator[Callable[[], SlowReplay]]:
    """Makes editors, and closes them: no test waits for a draft that one before it has left."""
    path, made = replay(GOOD, OTHER, THIRD), list[SlowReplay]()

    def make() -> SlowReplay:
        made.append(SlowReplay(path))
        return made[-1]

    yield make
    for editor in made:
        editor.close()
    drafts_end()


@pytest.fixture
def editor(another_editor: Callable[[], SlowReplay]) -> SlowReplay:
    return another_editor()


@pytest.fixture
def begin(night: Night, editor: SlowReplay) -> Callable[[Check], Planner]:
    """A night in which the first edit waits for its trial."""

    def begin(check: Check) -> Planner:
        planner = night.planner(editor, check=check, policy=ALWAYS_EDIT)
        night.baseline(planner)
        assert night.next(planner, 1.6)[0].kind is Kind.SAMPLE  # while the first is drafted
        editor.answer()
        return planner

    return begin


def draft_another(planner: Planner, editor: SlowReplay) -> None:
    """While a trial runs."""
    planner.prefetch(last_call=False)
    editor.answer()


def overtaken(night: Night, planner: Planner, editor: SlowReplay) -> TrialRecord:
    """The first edit's trial, promoted while the second edit waits."""
    running, _ = night.claim(planner)
    draft_another(planner, editor)
    return night.score(planner, running, 1.2)


def test_its_new_text_is_checked_while_a_sample_runs(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay
) -> None:
    checks = Checks()
    planner = begin(checks)
    kept = overtaken(night, planner, editor)
    meanwhile, _ = night.next(planner, 1.6)
    checks.end()
    trial, proposal = night.next(planner, 1.3)
    assert [kept.kind, meanwhile.kind, trial.kind] == [Kind.EDIT, Kind.SAMPLE, Kind.EDIT]
    assert (proposal.title, trial.parent) == ("edit 1", kept.number)
    assert checks.texts == [night.ledger.revision(trial.revision).source]
    assert proposal.key.startswith(checks.own[0])
    assert both_in(checks.texts[0])
    assert night.next(planner, 1.6)[0].kind is Kind.SAMPLE  # and it is tried once


def test_what_fails_the_check_is_recorded_and_gets_no_budget(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay
) -> None:
    checks = Checks(TrialError("shapes do not go together", tail="Traceback\nRuntimeError"))
    planner = begin(checks)
    overtaken(night, planner, editor)
    night.next(planner, 1.6)
    checks.end()
    trial, proposal = night.next(planner, 1.3)
    assert (trial.title, trial.status, trial.val_bpb) == ("edit 1", Status.CRASH, None)
    assert proposal.error == "shapes do not go together\nTraceback\nRuntimeError"
    assert not [revision for revision in night.ledger.revisions() if both_in(revision.source)]


def test_what_is_nothing_new_any_more_is_no_trial_and_no_crash(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay
) -> None:
    checks = Checks(EditError("the edit changes nothing but comments"))
    planner = begin(checks)
    overtaken(night, planner, editor)
    night.next(planner, 1.6)
    checks.end()
    assert night.next(planner, 1.6)[0].kind is Kind.SAMPLE
    assert night.ledger.waiting() == []
    assert "edit 'edit 1': the edit changes nothing but comments: no trial" in night.notes


def test_a_text_that_stays_as_it_was_checked_is_not_checked_again(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay
) -> None:
    checks = Checks()
    planner = begin(checks)
    night.next(planner, 1.6)  # the first edit is dropped
    sample, _ = night.claim(planner)
    assert sample.kind is Kind.SAMPLE
    editor.answer()
    night.score(planner, sample, 1.2)
    trial, proposal = night.claim(planner)
    assert (proposal.title, trial.parent) == ("edit 1", sample.number)
    assert checks.texts == []


def test_one_that_lost_the_race_is_checked_on_the_winner_before_another_is_drafted(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay
) -> None:
    checks = Checks()
    planner = begin(checks)
    slower, _ = night.claim(planner)
    draft_another(planner, editor)
    faster, _ = night.claim(planner)
    night.score(planner, faster, 1.30)
    assert night.score(planner, slower, 1.40).lost_race
    running, _ = night.claim(planner)
    planner.prefetch(last_call=False)
    checks.end()
    night.score(planner, running, 1.6)
    again, proposal = night.claim(planner)
    assert (proposal.title, again.parent) == ("edit 0 (rebased)", faster.number)
    assert checks.texts == [night.ledger.revision(again.revision).source]
    assert both_in(checks.texts[0])


def test_two_workers_carry_it_over_once(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay, another_editor: Callable[[], SlowReplay]
) -> None:
    checks, theirs = Checks(), Checks()
    planner = begin(checks)
    overtaken(night, planner, editor)
    running, _ = night.claim(planner)
    other = night.planner(another_editor(), check=theirs, policy=ALWAYS_EDIT)
    night.score(planner, running, 1.1)  # a sample: the other worker finds a still newer incumbent
    night.next(other, 1.6)
    theirs.may_end.set()
    checks.end()
    assert (len(checks.texts), len(theirs.texts)) == (1, 1)
    assert [proposal.title for _, proposal in night.ledger.waiting()] == ["edit 1"]
    _, proposal = night.next(planner, 1.6)
    assert proposal.title == "edit 1"
    assert night.ledger.waiting() == []


def test_a_check_that_the_end_of_the_night_broke_off_is_made_in_the_next(
    night: Night, begin: Callable[[Check], Planner], editor: SlowReplay, another_editor: Callable[[], SlowReplay]
) -> None:
    has_begun = Event()

    def killed(base: Revision, values: Mapping[str, KnobValue], source: str, *, own: str) -> None:
        has_begun.set()
        editor.is_closed.wait(PATIENCE)
        raise TrialError("the process died")  # since its night has ended

    planner = begin(killed)
    overtaken(night, planner, editor)
    night.next(planner, 1.6)
    assert has_begun.wait(PATIENCE)
    planner.close()

    checks = Checks()
    planner = night.planner(another_editor(), check=checks, policy=ALWAYS_EDIT)
    night.next(planner, 1.6)
    checks.end()
    trial, proposal = night.next(planner, 1.3)
    assert (proposal.title, trial.status) == ("edit 1", Status.DISCARD)
    assert len(checks.texts) == 1
