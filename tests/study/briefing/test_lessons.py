"""The scratchpad: when it is written anew, what is sent for it, what is kept of the answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import StudyError
from autoresearch.study.briefing.lessons import EVERY, due, finished_search_trials, lessons_prompt, scratchpad_of
from autoresearch.study.briefing.write import MAX_LESSONS_BYTES
from autoresearch.study.records import Status

from .conftest import SETTINGS, Begin, Night


def test_it_is_due_after_every_ten_samples_and_edits_that_finished(night: Night) -> None:
    for _ in range(EVERY - 1):
        night.fail(night.sample(depth=3), Status.OOM, "out of memory")
    night.fail(night.sample(depth=3), Status.INTERRUPTED, "interrupted")
    running = night.sample(depth=4)
    assert not due(night.ledger.history(), 0)
    night.fail(running, Status.CRASH, "failed")
    assert due(night.ledger.history(), 0)
    seen = finished_search_trials(night.ledger.history())
    assert seen == EVERY
    assert not due(night.ledger.history(), seen)


def test_the_prompt_tells_of_the_trials_and_the_notes_and_asks_for_no_edit(busy_night: Night) -> None:
    told = lessons_prompt(busy_night.ledger, SETTINGS, "deeper is slower", min_delta=0.02)
    briefing = busy_night.briefing(lessons="deeper is slower", min_delta=0.02)
    trials = briefing.changing.partition("# Your turn")[0]
    assert told.startswith(trials)
    assert "| deeper is slower\n" in told
    assert told.removeprefix(trials).startswith("# Your turn: no edit this time\n")
    assert [_headings(text)[-1] for text in (told, briefing.changing)] == [  # by which a cassette tells them apart
        "# Your turn: no edit this time",
        "# Your turn",
    ]
    assert "at most 2,000 bytes" in told
    assert "Propose the next edit" not in told


def test_there_is_none_before_the_first_score(begin: Begin) -> None:
    with pytest.raises(StudyError, match="nothing to edit yet"):
        lessons_prompt(begin().ledger, SETTINGS, "")


def test_an_answer_is_kept_as_it_is(night: Night) -> None:
    assert scratchpad_of("  - depth 3 gains .01\n- GELU does not\n\n") == "- depth 3 gains .01\n- GELU does not"


def test_of_a_long_answer_the_whole_lines_that_fit_are_kept() -> None:
    lines = [f"lesson {number:03}" for number in range(500)]
    kept = scratchpad_of("\n".join(lines))
    assert kept.split("\n") == lines[: len(kept.split("\n"))]
    assert MAX_LESSONS_BYTES - 12 < len(kept.encode()) <= MAX_LESSONS_BYTES


@given(st.text(st.one_of(st.characters(), st.sampled_from("\0\n\x1b\ud800ß漢")), max_size=5_000))
def test_whatever_is_answered_can_be_kept(answer: str) -> None:
    kept = scratchpad_of(answer)
    assert len(kept.encode()) <= MAX_LESSONS_BYTES
    assert "\0" not in kept
    assert "\x1b" not in kept


def _headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("# ")]
