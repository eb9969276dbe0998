"""The model's notes: asked for, paid for and resumed like its edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoresearch.study.editors.editor import Briefing, EditorSpentError
from autoresearch.study.editors.scratchpad import Noted, noted
from autoresearch.study.model.script import Turn, error, refusal

from .conftest import COST, GOOD, PROGRAM, USAGE, context

if TYPE_CHECKING:
    from .conftest import Desk

BRIEFING = Briefing("the rules", "train.py", "not this", PROGRAM)
NOTES = Turn(text="depth helps", usage=USAGE)


def test_notes_are_asked_for_behind_what_stays(desk: Desk) -> None:
    found = noted(desk.model(NOTES), BRIEFING, "what have you learnt?", 10)
    [request] = desk.requests()
    assert found == Noted("depth helps", request.draft, 10)
    assert desk.story() == [("lessons", "answered")]
    [asked] = desk.asked()
    assert [part["text"] for part in asked.body["messages"][0]["content"]] == ["train.py", "what have you learnt?"]
    assert desk.ledger.requests.spent() == COST


def test_notes_that_were_received_and_not_written_down_are_not_paid_for_twice(desk: Desk) -> None:
    before = noted(desk.model(NOTES), BRIEFING, "?", 10)
    desk.die()
    later = noted(desk.model(), BRIEFING, "?", 14)
    assert later == before
    assert later.trials_seen == 10  # what they are about, and not what has been tried since
    desk.ledger.requests.add_lessons(before.text, later.trials_seen, draft=before.draft)
    assert noted(desk.model(Turn(text="width as well")), BRIEFING, "?", 10).text == "width as well"


def test_notes_that_are_older_than_those_that_are_kept_are_of_no_use(desk: Desk) -> None:
    noted(desk.model(NOTES), BRIEFING, "?", 10)
    desk.die()
    found = noted(desk.model(Turn(text="width as well")), BRIEFING, "?", 21, kept=11)
    assert (found.text, found.trials_seen) == ("width as well", 21)
    assert desk.requests()[0].used


def test_notes_and_edits_do_not_take_each_others_answers(desk: Desk) -> None:
    noted(desk.model(NOTES), BRIEFING, "?", 10)
    desk.die()
    edit = desk.editor(GOOD).propose(context())
    desk.die()
    found = noted(desk.model(), BRIEFING, "?", 10)
    assert found.text == "depth helps"
    assert found.draft not in edit.key


def test_a_model_that_declines_has_no_notes(desk: Desk) -> None:
    assert noted(desk.model(refusal()), BRIEFING, "?", 10).text == ""


def test_a_refused_key_is_the_end(desk: Desk) -> None:
    with pytest.raises(EditorSpentError):
        noted(desk.model(error(401, "authentication_error", "no")), BRIEFING, "?", 10)
