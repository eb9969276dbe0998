"""Attempts that a dead worker left: taken up where they stood, and about the text as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoresearch.errors import TrialError
from autoresearch.study.editors.blocks import apply
from autoresearch.study.editors.editor import EditorSpentError, EditorUnavailableError
from autoresearch.study.model.script import Turn, error, overloaded
from autoresearch.study.records import RequestState

from .conftest import (
    COST,
    GOOD,
    GOOD_BLOCK,
    OTHER,
    PLACE,
    SOURCE,
    SYNTAX,
    UNMATCHED,
    applied,
    context,
    replying,
    whole,
    wordy,
)

if TYPE_CHECKING:
    from .conftest import Desk


def test_an_answer_that_a_dead_worker_left_is_not_asked_for_again(desk: Desk) -> None:
    died = desk.editor(GOOD).propose(context())
    desk.die()
    edit = desk.editor().propose(context())  # whose server has nothing to say
    assert edit == died
    assert desk.asked() == []
    assert desk.ledger.requests.spent() == COST


def test_an_edit_that_is_recorded_is_not_proposed_again(desk: Desk) -> None:
    first = desk.editor(GOOD).propose(context())
    editor = desk.editor(replying((PLACE, PLACE + "import typing\n")))
    second = editor.propose(context(used=frozenset({first.key})))
    assert second.key != first.key
    assert [request.used for request in desk.requests()] == [True, False]
    assert editor.draft_of(f"{second.key}@v3") == desk.requests()[1].draft


def test_an_attempt_that_broke_off_in_the_middle_goes_on_where_it_was(desk: Desk) -> None:
    with pytest.raises(EditorUnavailableError):
        desk.editor(UNMATCHED, UNMATCHED, Turn(is_silent=True)).propose(context())
    first = desk.requests()[0].draft
    desk.die()
    edit = desk.editor(UNMATCHED, whole(SOURCE.replace(*GOOD_BLOCK, 1))).propose(context())
    assert edit.key == f"anthropic:{first}"
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)
    assert desk.story() == [
        ("edit", "answered"),
        ("repair", "answered"),
        ("repair", "failed"),
        ("repair", "answered"),
        ("whole_file", "answered"),
    ]
    turns = desk.asked()[0].body["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]


def test_a_long_conversation_about_a_text_that_was_replaced_still_has_the_new_one(desk: Desk) -> None:
    with pytest.raises(EditorUnavailableError):
        desk.editor(wordy(UNMATCHED), Turn(is_silent=True)).propose(context())
    desk.die()
    turns = [wordy(turn) for turn in (UNMATCHED, SYNTAX, SYNTAX, SYNTAX, GOOD)]
    assert apply(OTHER, desk.editor(*turns).propose(context(source=OTHER)).blocks)
    conversations = [asked.body["messages"] for asked in desk.asked()]
    assert [len(turns) for turns in conversations] == [3, 5, 7, 9, 3]
    assert OTHER in desk.told()
    assert OTHER not in desk.told(-2)  # where it stands further up


def test_an_attempt_that_can_go_no_further_is_given_up_once_and_not_after_each_restart(desk: Desk) -> None:
    with pytest.raises(EditorUnavailableError):
        desk.editor(UNMATCHED, Turn(is_silent=True)).propose(context())
    desk.die()
    too_long = error(400, "invalid_request_error", "prompt is too long")
    failed = desk.editor(too_long).propose(context())
    assert failed.key == f"anthropic:{desk.requests()[0].draft}"
    assert "answered 400: prompt is too long" in failed.error
    desk.die()  # with the failure recorded
    assert applied(desk.editor(GOOD).propose(context(used=frozenset({failed.key}))))


def test_an_answer_whose_check_is_cut_off_by_the_end_of_the_night_is_taken_up_in_the_next(desk: Desk) -> None:
    editor = desk.editor(GOOD)

    def killed(source: str) -> None:
        editor.close()
        raise TrialError("the process was killed by SIGKILL")

    with pytest.raises(EditorSpentError, match="was closed while its edit was checked"):
        editor.propose(context(killed))
    desk.die()
    edit = desk.editor().propose(context())
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)
    assert desk.story() == [("edit", "answered")]


def test_what_was_counted_before_a_death_is_counted_after(desk: Desk) -> None:
    with pytest.raises(EditorUnavailableError):
        desk.editor(SYNTAX, SYNTAX, SYNTAX, Turn(is_silent=True)).propose(context())
    desk.die()
    edit = desk.editor(SYNTAX, GOOD).propose(context())
    assert edit.error.startswith("given up after 4 replies: ")
    assert len(desk.asked()) == 1


def test_a_worker_that_dies_while_the_model_writes_leaves_a_reservation(desk: Desk) -> None:
    class Killed(BaseException):
        pass

    def killed(seconds: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        desk.editor(overloaded(), sleep=killed).propose(context())
    [request] = desk.requests()
    assert (request.state, request.cost_usd) == (RequestState.SENT, None)
    desk.die()
    assert applied(desk.editor(GOOD).propose(context()))
    assert desk.ledger.requests.spent() == request.reserved_usd + COST


def test_an_answer_about_an_older_text_holds_for_the_new_one_where_it_fits(desk: Desk) -> None:
    desk.editor(GOOD).propose(context())
    desk.die()
    edit = desk.editor().propose(context(source=OTHER))
    assert apply(OTHER, edit.blocks) == OTHER.replace(*GOOD_BLOCK, 1)


def test_a_whole_file_about_an_older_text_does_not_undo_what_was_promoted(desk: Desk) -> None:
    desk.editor(whole(SOURCE + "# the end\n")).propose(context())
    desk.die()
    edit = desk.editor().propose(context(source=OTHER))
    assert apply(OTHER, edit.blocks) == OTHER + "# the end\n"


def test_an_answer_that_no_longer_fits_goes_back_with_the_text_as_it_is_now(desk: Desk) -> None:
    changed = SOURCE.replace(PLACE, "import math as maths\n", 1)
    again = replying(("import math as maths\n", "import math as maths\nimport itertools\n"))
    desk.editor(GOOD).propose(context())
    desk.die()
    with pytest.raises(EditorUnavailableError):
        desk.editor(Turn(is_silent=True)).propose(context(lambda source: None, source=changed))
    desk.die()
    edit = desk.editor(UNMATCHED, again).propose(context(lambda source: None, source=changed))
    assert apply(changed, edit.blocks) == changed.replace("as maths\n", "as maths\nimport itertools\n", 1)
    assert "Meanwhile train.py has changed. It now reads:" in desk.told(0)
    assert changed.rstrip() in desk.told(0)
    assert "Meanwhile" not in desk.told(1)
    desk.die()  # and once more, with the edit not yet recorded: now the conversation is about the new text
    assert desk.editor().propose(context(lambda source: None, source=changed)) == edit
