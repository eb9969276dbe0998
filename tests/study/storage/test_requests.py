"""What is asked of language models, and what it costs, on both databases."""

from __future__ import annotations

import multiprocessing
import sqlite3
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from autoresearch.errors import StudyError
from autoresearch.study.records import Edit, Purpose, RequestRecord, RequestState
from autoresearch.study.storage import Ledger, Patience, create_study, delete_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .conftest import Night, Processes

MESSAGES = ({"role": "user", "content": [{"type": "text", "text": "edit this"}]},)
USAGE = {"input_tokens": 20_000, "output_tokens": 6_000, "cache_creation": {"ephemeral_1h_input_tokens": 7}}
DRAFT = "11111111-1111-4111-8111-111111111111"


def request_of(night: Night, draft: str = DRAFT, usd: str = "0.10", **fields: Any) -> RequestRecord:
    plain = RequestRecord(draft, Purpose.EDIT, "claude-opus-5-5", "f" * 64, MESSAGES, Decimal(usd), night.worker)
    return replace(plain, **fields)


def ask(night: Night, draft: str = DRAFT, usd: str = "0.10", **fields: Any) -> str:
    """Reserve; the id."""
    sent = night.ledger.requests.reserve(request_of(night, draft, usd, **fields), None)
    assert sent is not None
    return sent


def answer(night: Night, request: str, usd: str = "0.04", reply: str = "TITLE: less") -> bool:
    return night.ledger.requests.answered(request, reply, cost_usd=Decimal(usd), usage=USAGE, stop_reason="end_turn")


def asked_and_answered(night: Night, draft: str = DRAFT, **fields: Any) -> str:
    request = ask(night, draft, **fields)
    assert answer(night, request)
    return request


def test_a_request_comes_back_as_it_was_asked_and_answered(night: Night) -> None:
    asked = request_of(night)
    assert night.ledger.requests.reserve(asked, None) == asked.id
    [sent] = night.ledger.requests.conversation(DRAFT)
    assert sent == replace(asked, created_at=sent.created_at, prompt_sha256=sent.prompt_sha256)
    assert sent.created_at == pytest.approx(night.ledger.now(), abs=60)
    assert answer(night, asked.id)
    [found] = night.ledger.requests.conversation(DRAFT)
    assert found == replace(
        sent,
        state=RequestState.ANSWERED,
        reply="TITLE: less",
        cost_usd=Decimal("0.04"),
        usage=USAGE,
        stop_reason="end_turn",
        answered_at=found.answered_at,
    )
    assert found.answered_at is not None
    assert found.answered_at >= found.created_at


def test_the_requests_of_a_draft_are_numbered_and_their_prompts_told_apart(night: Night) -> None:
    asked_and_answered(night)
    asked_and_answered(night, "22222222-2222-4222-8222-222222222222")
    longer = (*MESSAGES, {"role": "assistant", "content": "?"}, {"role": "user", "content": "again"})
    ask(night, purpose=Purpose.REPAIR, messages=longer)
    first, second = night.ledger.requests.conversation(DRAFT)
    assert (first.position, second.position) == (0, 1)
    assert (first.purpose, second.purpose) == (Purpose.EDIT, Purpose.REPAIR)
    assert second.messages == longer
    [other] = night.ledger.requests.conversation("22222222-2222-4222-8222-222222222222")
    assert other.position == 0
    assert first.prompt_sha256 == other.prompt_sha256 != second.prompt_sha256


def test_any_text_can_be_asked_and_answered(night: Night) -> None:
    """A log that is quoted to the model may hold bytes that no database takes."""
    request = ask(night, messages=({"role": "user", "content": "a\0b \ud800 ü"},))
    assert answer(night, request, reply="c\0d \udfff ü")
    assert answer(night, request, reply="c\0d \udfff ü")  # the same answer once more
    [found] = night.ledger.requests.conversation(DRAFT)
    assert found.messages == ({"role": "user", "content": "a\ufffdb ? ü"},)
    assert found.reply == "c\ufffdd ? ü"


def test_the_history_is_in_order_and_leaves_the_long_texts_out(night: Night) -> None:
    requests = [asked_and_answered(night, f"draft-{index}") for index in range(3)]
    history = night.ledger.requests.history()
    assert [request.id for request in history] == requests
    assert [(request.messages, request.reply, request.cost_usd) for request in history] == [
        ((), "", Decimal("0.04"))
    ] * 3


def test_what_is_spent_is_the_cost_where_it_is_known_and_else_the_reservation(night: Night) -> None:
    assert night.ledger.requests.spent() == 0
    asked_and_answered(night)
    failed, unknown, _ = (ask(night) for _ in range(3))
    assert night.ledger.requests.failed(failed, "overloaded", cost_usd=Decimal(0))
    assert night.ledger.requests.failed(unknown, "the stream was cut", cost_usd=None)
    assert night.ledger.requests.spent() == Decimal("0.04") + 0 + Decimal("0.10") + Decimal("0.10")
    history = night.ledger.requests.history()
    assert sum(request.spent_usd for request in history) == night.ledger.requests.spent()
    assert [str(request.state) for request in history] == ["answered", "failed", "failed", "sent"]
    assert [request.error for request in history] == ["", "overloaded", "the stream was cut", ""]


def test_sums_are_exact_to_the_nano_dollar(night: Night) -> None:
    """Floats would be off: a tenth has no finite binary form, and the large amount takes the small one's digits."""
    amounts = ["0.1", "0.2", "0.000000001", "123456.000000007", *["0.1"] * 20]
    for usd in amounts:
        asked_and_answered(night, usd=usd)
    for request, usd in zip(night.ledger.requests.history(), amounts, strict=True):
        assert request.reserved_usd == Decimal(usd)
    assert night.ledger.requests.spent() == Decimal("0.04") * 24
    for usd in amounts:
        ask(night, usd=usd)
    assert night.ledger.requests.spent() == Decimal("0.96") + Decimal("123458.300000008")


def test_parts_of_a_nano_dollar_are_rounded_up(night: Night) -> None:
    answer(night, ask(night), usd="0.0000000001")
    assert night.ledger.requests.spent() == Decimal("0.000000001")


@pytest.mark.parametrize("usd", ["-0.01", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(night: Night, usd: str) -> None:
    with pytest.raises(ValueError, match=r"is no amount of money: expected a number that is not negative"):
        night.ledger.requests.reserve(request_of(night, usd=usd), Decimal(1))
    assert night.ledger.requests.history() == []


def test_the_cap_holds_to_the_last_nano_dollar(night: Night) -> None:
    requests, cap = night.ledger.requests, Decimal("0.30")
    asked_and_answered(night)
    assert requests.reserve(request_of(night, usd="0.260000001"), cap) is None
    assert requests.reserve(request_of(night, usd="0.26"), cap) is not None
    assert requests.spent() == cap
    assert requests.reserve(request_of(night, usd="0.000000001"), cap) is None
    assert len(requests.history()) == 2


def test_what_an_answer_cost_less_than_its_reservation_is_free_again(night: Night) -> None:
    requests, cap = night.ledger.requests, Decimal("0.20")
    first = requests.reserve(request_of(night, usd="0.15"), cap)
    assert requests.reserve(request_of(night, usd="0.15"), cap) is None
    assert answer(night, first, usd="0.05")
    assert requests.reserve(request_of(night, usd="0.15"), cap) is not None


def test_each_study_has_a_purse_of_its_own(night: Night) -> None:
    other = Ledger(night.db, create_study(night.db, "other", {}, night.first))
    asked_and_answered(night)
    assert other.requests.spent() == 0
    assert other.requests.history() == []
    assert other.requests.resumable(night.worker) == []
    assert other.requests.take(DRAFT, night.worker) == ()


def test_an_end_is_written_once(night: Night) -> None:
    """The first word stands, whatever a confused worker says later."""
    requests = night.ledger.requests
    good, bad = ask(night), ask(night)
    assert answer(night, good)
    assert not requests.failed(good, "timed out", cost_usd=None)
    assert requests.failed(bad, "timed out", cost_usd=Decimal(0))
    assert not answer(night, bad)
    assert not answer(night, good, reply="another")
    assert [str(request.state) for request in requests.history()] == ["answered", "failed"]
    assert requests.spent() == Decimal("0.04")


def test_a_request_that_was_never_made_is_a_mistake_of_ours(night: Night) -> None:
    with pytest.raises(KeyError):
        answer(night, "nobody")


# A worker's end, at each point.


def test_kill_9_between_request_and_answer(
    database_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    """The request may have been paid for: its reservation stays counted, and there is nothing to resume."""
    night_class(database_url).close()
    assert (
        children.in_child(lambda: ask(night_class(database_url, children.killing_at("request:sent")).sign_on())) == -9
    )
    night = night_class(database_url).sign_on()
    assert night.reconcile()[1:] == [
        "a request to claude-opus-5-5 (edit) was under way when its worker died: what it can cost at most, $0.10, counts"
    ]
    [lost] = night.ledger.requests.history()
    assert (lost.state, lost.used, lost.cost_usd) == (RequestState.LOST, False, None)
    assert night.ledger.requests.spent() == Decimal("0.10")
    assert night.ledger.requests.resumable(night.worker) == []
    assert night.reconcile() == []
    night.close()


def test_kill_9_between_answer_and_proposal(
    database_url: str, children: type[Processes], night_class: type[Night]
) -> None:
    """Of the next workers one goes on with the conversation, and only one."""
    count = 2 if database_url.startswith("sqlite") else 4
    all_tried = multiprocessing.get_context("fork").Barrier(count)

    def work() -> None:
        night = night_class(database_url, children.killing_at("request:answered")).sign_on()
        asked_and_answered(night)

    night_class(database_url).close()
    assert children.in_child(work) == -9

    def resume(index: int) -> list[str]:
        night = night_class(database_url).sign_on()
        night.reconcile()
        requests = night.ledger.requests
        found = [requests.take(draft, night.worker) for draft in requests.resumable(night.worker)]
        all_tried.wait(120)  # until then nobody dies, and is succeeded
        return [request.reply for conversation in found for request in conversation]

    assert sorted(children.at_once(count, resume)) == [[]] * (count - 1) + [["TITLE: less"]]
    night = night_class(database_url)
    assert [str(request.state) for request in night.ledger.requests.history()] == ["answered"]
    assert night.ledger.requests.spent() == Decimal("0.04")
    night.close()


def test_kill_9_after_the_proposal(database_url: str, children: type[Processes], night_class: type[Night]) -> None:
    """The draft is used in the very transaction that proposes the edit."""

    def work() -> None:
        night = night_class(database_url, children.killing_at("propose")).sign_on()
        asked_and_answered(night)
        night.propose("replay:a", draft=DRAFT)

    night_class(database_url).close()
    assert children.in_child(work) == -9
    night = night_class(database_url).sign_on()
    night.reconcile()
    assert night.ledger.requests.resumable(night.worker) == []
    assert night.queue() == {"replay:a": "ready"}
    night.close()


def test_a_living_workers_requests_and_drafts_are_its_own(night: Night, make_night: Callable[..., Night]) -> None:
    other = make_night().sign_on(night.run)
    asked_and_answered(night)
    ask(night, "22222222-2222-4222-8222-222222222222")
    assert other.reconcile() == []
    assert other.ledger.requests.resumable(other.worker) == []
    assert other.ledger.requests.take(DRAFT, other.worker) == ()
    assert night.ledger.requests.resumable(night.worker) == [DRAFT]
    assert {request.worker for request in night.ledger.requests.history()} == {night.worker}


def test_who_takes_a_dead_workers_draft_has_it_whole(night: Night, make_night: Callable[..., Night]) -> None:
    asked_and_answered(night)
    waiting = ask(night, purpose=Purpose.REPAIR)
    night.ledger.close_lease(night.worker)
    first, second = make_night().sign_on(night.run), make_night().sign_on(night.run)
    assert first.ledger.requests.resumable(first.worker) == second.ledger.requests.resumable(second.worker) == [DRAFT]
    taken = first.ledger.requests.take(DRAFT, first.worker)
    assert second.ledger.requests.take(DRAFT, second.worker) == ()
    assert second.ledger.requests.resumable(second.worker) == []
    assert [(request.id, str(request.state), request.worker) for request in taken[1:]] == [
        (waiting, "lost", first.worker)
    ]
    assert first.ledger.requests.take(DRAFT, first.worker) == taken


def test_drafts_are_resumed_for_what_they_were_begun_for_the_oldest_first(night: Night) -> None:
    for index in range(3):
        asked_and_answered(night, f"edit-{index}")
        asked_and_answered(night, f"edit-{index}", purpose=Purpose.REPAIR)
        asked_and_answered(night, f"lessons-{index}", purpose=Purpose.LESSONS)
    night.ledger.requests.mark_used("edit-1")
    requests = night.ledger.requests
    assert requests.resumable(night.worker) == ["edit-0", "edit-2"]
    assert requests.resumable(night.worker, Purpose.LESSONS) == ["lessons-0", "lessons-1", "lessons-2"]
    assert requests.take("edit-1", night.worker) == ()


def test_without_an_answer_there_is_nothing_to_resume(night: Night) -> None:
    night.ledger.requests.failed(ask(night), "refused", cost_usd=Decimal(0))
    assert night.ledger.requests.resumable(night.worker) == []
    assert night.ledger.requests.take(DRAFT, night.worker) == ()


def test_an_answer_that_comes_when_its_worker_was_taken_for_dead_is_still_worth_its_money(
    night: Night, make_night: Callable[..., Night]
) -> None:
    """The machine slept over the lease."""
    request = ask(night)
    night.ledger.close_lease(night.worker)
    other = make_night().sign_on(night.run)
    other.reconcile()
    assert night.ledger.requests.spent() == Decimal("0.10")
    assert answer(night, request)
    assert night.ledger.requests.spent() == Decimal("0.04")
    assert other.ledger.requests.resumable(other.worker) == [DRAFT]


# What a draft leads to.


def test_an_edit_that_is_proposed_uses_its_draft_also_where_its_key_is_taken(night: Night) -> None:
    for draft in ("first", "second", "third"):
        asked_and_answered(night, draft)
    assert night.propose("replay:a", draft="first")
    assert night.ledger.requests.resumable(night.worker) == ["second", "third"]
    assert not night.propose("replay:a", draft="second")
    assert night.ledger.requests.resumable(night.worker) == ["third"]


def test_programs_are_known_by_the_edits_keys(night: Night) -> None:
    night.propose("sample:0")
    night.propose("replay:none")
    night.propose("replay:b", edit=Edit("replay:b", "title", "why", (), program="f" * 64))
    night.propose("replay:a", edit=Edit("replay:a", "title", "why", (), program="e" * 64, error="given up"))
    assert night.ledger.requests.programs() == {"replay:b": "f" * 64, "replay:a": "e" * 64}


def test_the_newest_lessons_are_told_and_their_draft_is_used(night: Night) -> None:
    requests = night.ledger.requests
    assert requests.latest_lessons() is None
    asked_and_answered(night, purpose=Purpose.LESSONS)
    requests.add_lessons("less is\0more", 10, draft=DRAFT)
    assert requests.resumable(night.worker, Purpose.LESSONS) == []
    requests.add_lessons("more is more", 20)
    requests.add_lessons("more is more", 20)
    newest = requests.latest_lessons()
    assert (newest.number, newest.text, newest.trials_seen) == (1, "more is more", 20)
    assert newest.created_at == pytest.approx(night.ledger.now(), abs=60)


# The database's failures.


class LostAcknowledgement:
    """Fails once at a point, after the write that it names: as when the connection breaks before the answer came."""

    def __init__(self, url: str) -> None:
        self.at = ""
        self._error: Exception = psycopg.OperationalError("server closed the connection unexpectedly")
        if url.startswith("sqlite"):
            self._error = sqlite3.OperationalError("disk I/O error")
            self._error.sqlite_errorcode = sqlite3.SQLITE_IOERR

    def __call__(self, point: str) -> None:
        if point == self.at:
            self.at = ""
            raise OperationalError("COMMIT", {}, self._error)


def test_whatever_is_repeated_after_a_lost_acknowledgement_is_done_once(
    database_url: str, make_night: Callable[..., Night]
) -> None:
    lost = LostAcknowledgement(database_url)
    naps: list[float] = []
    night = make_night(observe=lost, patience=Patience(60.0, clock=lambda: 0.0, sleep=naps.append)).sign_on()
    requests = night.ledger.requests
    cap = Decimal("0.20")

    def again(point: str, operation: Callable[[], Any]) -> Any:
        lost.at, before = point, len(naps)
        result = operation()
        assert len(naps) == before + 1, point
        return result

    first, second = request_of(night), request_of(night)
    assert again("request:sent", lambda: requests.reserve(first, cap)) == first.id
    assert (
        again("request:sent", lambda: requests.reserve(second, cap)) == second.id
    )  # it fits, as its own double would not
    assert again("request:answered", lambda: answer(night, first.id))
    assert again("request:failed", lambda: requests.failed(second.id, "timed out", cost_usd=None))
    assert requests.spent() == Decimal("0.14")
    assert [request.id for request in again("request:taken", lambda: requests.take(DRAFT, night.worker))] == [
        first.id,
        second.id,
    ]
    again("lessons", lambda: requests.add_lessons("less is more", 10))
    assert requests.latest_lessons().number == 0
    again("request:used", lambda: requests.mark_used(DRAFT))
    assert all(request.used for request in requests.history())
    assert [request.position for request in requests.conversation(DRAFT)] == [0, 1]


def test_a_study_that_is_deleted_takes_its_requests_along(night: Night) -> None:
    request = asked_and_answered(night)
    night.ledger.requests.add_lessons("less is more", 1)
    delete_study(night.db, "night", force=True)
    assert night.ledger.requests.history() == []
    assert night.ledger.requests.latest_lessons() is None
    for use in (lambda: ask(night), lambda: answer(night, request), lambda: night.ledger.requests.add_lessons("a", 1)):
        with pytest.raises(StudyError, match="deleted while it was in use"):
            use()
