"""The anthropic editor: a real client, a real server that plays its replies, a real database that keeps the account."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoresearch.errors import RevisionError, TrialError
from autoresearch.study.editors.blocks import EditError, apply
from autoresearch.study.editors.editor import EditContext, EditorSpentError, EditorUnavailableError
from autoresearch.study.model.prices import Price
from autoresearch.study.model.script import Turn, error, garbage, overloaded, refusal
from autoresearch.study.records import Edit, Purpose, RequestRecord, RequestState

from .conftest import (
    AMBIGUOUS,
    COST,
    GOOD,
    GOOD_BLOCK,
    KEY,
    PLACE,
    PROGRAM,
    SOURCE,
    SYNTAX,
    UNMATCHED,
    applied,
    context,
    hash_of,
    replying,
    whole,
    wordy,
)

if TYPE_CHECKING:
    from .conftest import Desk


def test_a_good_reply_becomes_an_edit_and_an_entry_in_the_account(desk: Desk) -> None:
    edit = desk.editor(GOOD).propose(context())
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)
    assert (edit.title, edit.hypothesis, edit.program) == ("an import", "it helps", PROGRAM)
    [request] = desk.requests()
    assert edit.key == f"anthropic:{request.draft}"
    assert (request.state, request.cost_usd, request.model) == (RequestState.ANSWERED, COST, "claude-opus-5-5")
    assert request.reserved_usd > COST
    assert desk.ledger.requests.spent() == COST
    assert desk.observed.index("request:sent") < desk.observed.index("request:answered")


def test_the_model_is_told_what_stays_first_and_what_changes_last(desk: Desk) -> None:
    desk.editor(GOOD).propose(context())
    [asked] = desk.asked()
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert asked.body["system"] == [{"type": "text", "text": "the rules", "cache_control": hour}]
    assert asked.body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": f"train.py:\n{SOURCE}", "cache_control": hour},
                {"type": "text", "text": "what was tried"},
            ],
        }
    ]


def test_a_syntax_error_goes_back_and_is_repaired(desk: Desk) -> None:
    edit = desk.editor(SYNTAX, GOOD).propose(context())
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)
    assert desk.story() == [("edit", "answered"), ("repair", "answered")]
    assert "That edit cannot be tried: " in desk.told()
    assert "syntax" in desk.told()
    assert "Send the whole edit again" in desk.told()
    turns = desk.asked()[-1].body["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"][0]["text"] == SYNTAX.text.strip()
    assert desk.ledger.requests.spent() == 2 * COST


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (UNMATCHED, "'no such line in the file'"),
        (AMBIGUOUS, "block 1 of 1"),
        (Turn(text="Here is my idea: make it wider."), "the reply cannot be read"),
        (Turn(text=""), "the reply is empty"),
        (Turn(text=GOOD.text[:-20]), "the reply cannot be read"),
        (Turn(text=GOOD.text, stop_reason="max_tokens"), "cut off at the greatest length"),
        (Turn(text=GOOD.text, stop_reason="model_context_window_exceeded"), "cut off at the greatest length"),
        (Turn(text="word " * 40_000), "200,000 characters, at most"),
        (replying((PLACE, PLACE)), "changes nothing"),
    ],
)
def test_a_reply_that_will_not_do_goes_back_with_the_reason(desk: Desk, bad: Turn, complaint: str) -> None:
    assert applied(desk.editor(bad, GOOD).propose(context()))
    assert desk.story() == [("edit", "answered"), ("repair", "answered")]
    assert complaint in desk.told()
    assert all(part["text"] for turn in desk.asked()[-1].body["messages"] for part in turn["content"])
    assert len(str(desk.asked()[-1].body["messages"][1])) < 42_000


def test_after_two_repairs_the_whole_file_is_asked_for(desk: Desk) -> None:
    new = SOURCE.replace(*GOOD_BLOCK, 1)
    edit = desk.editor(UNMATCHED, AMBIGUOUS, UNMATCHED, whole(new)).propose(context())
    assert applied(edit) == new
    assert len("".join(block.replace for block in edit.blocks)) < 200  # it is recorded as what it changes
    assert [purpose for purpose, _ in desk.story()] == ["edit", "repair", "repair", "whole_file"]
    assert "the whole of the new train.py" in desk.told()
    assert "the whole of the new train.py" not in desk.told(-2)


def test_a_model_that_cannot_do_it_at_all_is_given_up_after_the_whole_file(desk: Desk) -> None:
    edit = desk.editor(*[UNMATCHED] * 4, GOOD).propose(context())
    assert re.match(r"given up after 4 replies: .*'no such line in the file'", edit.error)
    assert (edit.title, edit.blocks, edit.program) == ("an import", (), PROGRAM)
    assert len(desk.asked()) == 4


def test_failed_checks_go_back_three_times(desk: Desk) -> None:
    edit = desk.editor(*[SYNTAX] * 4, GOOD).propose(context())
    assert re.match(r"given up after 4 replies: .*syntax", edit.error)
    assert edit.title == "a slip"
    assert "import math (" in apply(SOURCE, edit.blocks)  # what was proposed is kept for a person to see
    assert [purpose for purpose, _ in desk.story()] == ["edit", "repair", "repair", "repair"]


def test_replies_and_checks_are_counted_apart(desk: Desk) -> None:
    turns = [SYNTAX, UNMATCHED, SYNTAX, UNMATCHED, SYNTAX, UNMATCHED, GOOD]
    assert applied(desk.editor(*turns).propose(context()))
    assert [purpose for purpose, _ in desk.story()] == ["edit", *["repair"] * 5, "whole_file"]


def test_a_crash_in_the_check_goes_back_with_its_traceback_as_data(desk: Desk) -> None:
    lines = [f"frame {number}" for number in range(2_000)]
    failures = [TrialError("IndexError: 7 (at step 2)", tail="\n".join(lines))]

    def check(source: str) -> None:
        if failures:
            raise failures.pop()

    desk.editor(GOOD, GOOD).propose(context(check))
    told = desk.told()
    assert "That edit cannot be tried: IndexError: 7 (at step 2)" in told
    assert "> frame 0\n" in told
    assert "> frame 1999\n" in told
    assert "characters left out" in told
    assert len(told) < 6_000


def test_a_long_conversation_is_told_by_its_first_request_and_its_last_reply(desk: Desk) -> None:
    turns = [wordy(turn) for turn in (UNMATCHED, UNMATCHED, SYNTAX, SYNTAX, SYNTAX, GOOD)]
    assert applied(desk.editor(*turns).propose(context()))
    conversations = [asked.body["messages"] for asked in desk.asked()]
    assert [len(turns) for turns in conversations] == [1, 3, 5, 7, 9, 3]
    assert all(turns[0] == conversations[0][0] for turns in conversations)
    assert all(sum(len(turn["content"][0]["text"]) for turn in turns[1:]) < 200_000 for turns in conversations)
    assert "syntax" in desk.told()


@pytest.mark.parametrize("failure", [EditError("trial 3 had this text"), RevisionError("no GPT"), TrialError("NaN")])
def test_whatever_a_check_finds_goes_back(desk: Desk, failure: Exception) -> None:
    def check(source: str) -> None:
        raise failure

    edit = desk.editor(*[GOOD] * 4).propose(context(check))
    assert edit.error == f"given up after 4 replies: {failure}"


def test_a_refusal_is_an_attempt_with_its_reason_and_its_cost(desk: Desk) -> None:
    edit = desk.editor(refusal("cyber", "not this")).propose(context())
    assert edit.error == "the model declined to answer (cyber: not this)"
    [request] = desk.requests()
    assert (request.state, request.error) == (RequestState.FAILED, edit.error)
    assert request.cost_usd is not None
    assert request.cost_usd > 0


def test_a_model_that_only_declines_is_not_paid_for_it_all_night(desk: Desk) -> None:
    editor = desk.editor(*[refusal()] * 2, GOOD, *[refusal()] * 4)
    edits: list[Edit] = []
    for _ in range(6):
        edits.append(editor.propose(context(used=frozenset(edit.key for edit in edits))))
    assert [bool(edit.error) for edit in edits] == [True, True, False, True, True, True]
    with pytest.raises(EditorSpentError, match="the model has declined 3 times in a row"):
        editor.propose(context())
    assert len(desk.asked()) == 6


def test_an_overload_is_unavailable_and_costs_nothing(desk: Desk) -> None:
    editor = desk.editor(*[overloaded()] * 6, GOOD)
    with pytest.raises(EditorUnavailableError, match=r"529: Overloaded \(6 tries in 62 s\)") as caught:
        editor.propose(context())
    assert caught.value.retry_after == 300
    [request] = desk.requests()
    assert (request.state, request.cost_usd) == (RequestState.FAILED, 0)
    assert applied(editor.propose(context()))


def test_a_cut_stream_counts_as_the_most_that_it_can_have_cost(desk: Desk) -> None:
    cut = Turn(text="x" * 5_000, cut_after=5, usage={"input_tokens": 1_000, "output_tokens": 700})
    with pytest.raises(EditorUnavailableError, match="lost"):
        desk.editor(cut, max_tokens=2_000).propose(context())
    [request] = desk.requests()
    assert request.cost_usd == Decimal("0.044")  # the input, and 2,000 tokens that it may have gone on to write
    assert request.usage["output_tokens"] == 1
    assert request.cost_usd < request.reserved_usd


@pytest.mark.parametrize(
    "turn", [garbage(), Turn(is_silent=True), error(504, "timeout_error", "late"), error(524, "", "late")]
)
def test_what_nobody_knows_the_cost_of_stays_reserved(desk: Desk, turn: Turn) -> None:
    with pytest.raises(EditorUnavailableError):
        desk.editor(turn).propose(context())
    [request] = desk.requests()
    assert request.cost_usd is None
    assert desk.ledger.requests.spent() == request.reserved_usd > 0


def test_an_answer_without_a_count_costs_what_was_reserved(desk: Desk) -> None:
    desk.editor(replying(GOOD_BLOCK, usage={})).propose(context())
    [request] = desk.requests()
    assert request.cost_usd == request.reserved_usd


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_request_that_can_never_succeed_ends_the_asking(desk: Desk, status: int) -> None:
    with pytest.raises(EditorSpentError, match=f"answered {status}: no; "):
        desk.editor(error(status, "some_error", "no")).propose(context())
    assert [(request.state, request.cost_usd) for request in desk.requests()] == [(RequestState.FAILED, 0)]


@pytest.mark.parametrize(
    "turn",
    [
        error(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000"),
        error(413, "request_too_large", "too large"),
        Turn(
            body=b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"filtered"}}\n\n'
        ),
    ],
)
def test_a_conversation_that_the_server_does_not_go_on_with_is_given_up_and_another_begun(
    desk: Desk, turn: Turn
) -> None:
    turn = replace(turn, headers={"content-type": "text/event-stream", **turn.headers})
    editor = desk.editor(UNMATCHED, turn, GOOD)
    failed = editor.propose(context())
    assert re.search("prompt is too long|too large|filtered", failed.error)
    assert failed.title == "an import"
    edit = editor.propose(context(used=frozenset({failed.key})))
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)
    assert desk.story() == [("edit", "answered"), ("repair", "failed"), ("edit", "answered")]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_key_that_is_refused_in_the_middle_ends_the_asking_and_leaves_the_attempt(desk: Desk, status: int) -> None:
    with pytest.raises(EditorSpentError, match=f"answered {status}: no; "):
        desk.editor(UNMATCHED, error(status, "some_error", "no")).propose(context())
    desk.die()
    edit = desk.editor(GOOD).propose(context())
    assert edit.key == f"anthropic:{desk.requests()[0].draft}"
    assert applied(edit) == SOURCE.replace(*GOOD_BLOCK, 1)


def test_a_refusal_without_a_count_costs_what_was_reserved_like_an_answer(desk: Desk) -> None:
    desk.editor(replace(refusal(), usage={})).propose(context())
    [request] = desk.requests()
    assert request.state is RequestState.FAILED
    assert desk.ledger.requests.spent() == request.reserved_usd > 0


def test_the_cap_is_never_crossed(desk: Desk) -> None:
    editor = desk.editor(*[GOOD] * 100, cap="0.50", max_tokens=4_000)
    edits = 0

    def whole_night() -> None:
        nonlocal edits
        while True:
            editor.propose(context())
            desk.ledger.requests.mark_used(desk.requests()[-1].draft)
            edits += 1

    with pytest.raises(EditorSpentError, match=r"--max-cost 0.50: \$0\.\d{4} are spent or reserved, .* \$0\.\d{4}"):
        whole_night()
    assert edits > 10
    spent = desk.ledger.requests.spent()
    assert spent == edits * COST
    assert spent <= Decimal("0.50") < spent + desk.requests()[-1].reserved_usd
    assert len(desk.asked()) == edits


def test_what_another_worker_has_reserved_is_waited_for(desk: Desk) -> None:
    theirs = RequestRecord("another", Purpose.EDIT, "claude-opus-5-5", PROGRAM, [], Decimal("0.45"), desk.worker)
    request = desk.ledger.requests.reserve(theirs, None)
    assert request is not None
    editor = desk.editor(GOOD, cap="0.50", max_tokens=4_000)
    with pytest.raises(EditorUnavailableError, match="not known yet"):
        editor.propose(context())
    assert desk.asked() == []
    desk.ledger.requests.failed(request, "overloaded", cost_usd=Decimal(0))
    assert applied(editor.propose(context()))


def test_a_server_that_is_not_there_is_in_the_account(desk: Desk) -> None:
    editor = desk.editor(GOOD)
    desk.server.close()
    with pytest.raises(EditorUnavailableError):
        editor.propose(context())
    [request] = desk.requests()
    assert (request.state, request.cost_usd, request.reserved_usd) == (RequestState.FAILED, 0, 0)
    assert desk.ledger.requests.spent() == 0


def test_who_was_cut_off_is_not_asked_for_the_whole_file(desk: Desk) -> None:
    cut = replace(GOOD, stop_reason="max_tokens")
    assert applied(desk.editor(cut, cut, cut, GOOD).propose(context()))
    assert [purpose for purpose, _ in desk.story()] == ["edit", "repair", "repair", "repair"]


def test_a_cap_below_one_request_asks_nothing(desk: Desk) -> None:
    with pytest.raises(EditorSpentError):
        desk.editor(GOOD, cap="0.01").propose(context())
    assert desk.asked() == []
    assert desk.requests() == []


def test_a_model_that_costs_nothing_fits_under_a_cap_of_nothing(desk: Desk) -> None:
    assert applied(desk.editor(GOOD, cap="0", price=Price(Decimal(0), Decimal(0))).propose(context()))


def test_the_key_is_in_no_row(desk: Desk, tmp_path: Path) -> None:
    echo = Turn(text=f"You sent {KEY}.")
    editor = desk.editor(echo, error(401, "authentication_error", f"bad key {KEY}"))
    with pytest.raises(EditorSpentError, match=r"bad key \[key\]"):
        editor.propose(context())
    assert KEY not in repr(editor)
    desk.db.close()
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_without_a_briefing_there_is_nothing_to_ask(desk: Desk) -> None:
    with pytest.raises(ValueError, match="asked with a briefing"):
        desk.editor().propose(EditContext(SOURCE, hash_of(SOURCE)))
