"""A night with the API, recorded, and the same night again from the file."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoresearch.errors import InputError
from autoresearch.study.editors.anthropic import AnthropicEditor
from autoresearch.study.editors.editor import EditorSpentError
from autoresearch.study.editors.voices import Voice, live, recorded
from autoresearch.study.model.script import overloaded

from .conftest import COST, GOOD, KEY, PLACE, SYNTAX, UNMATCHED, context, replying

if TYPE_CHECKING:
    from .conftest import Desk

SECOND = replying((PLACE, PLACE + "import typing\n"), title="another")


def night(editor: AnthropicEditor) -> list[tuple[str, str]]:
    """Two edits."""
    edits = [editor.propose(context())]
    edits.append(editor.propose(context(used=frozenset({edits[0].key}))))
    return [(edit.title, edit.error) for edit in edits]


def test_a_recorded_night_plays_again_without_key_or_waiting(desk: Desk, tmp_path: Path) -> None:
    tape = tmp_path / "night.jsonl"
    url = desk.serve(overloaded(), SYNTAX, UNMATCHED, GOOD, SECOND).url
    notes: list[str] = []
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
    voice = Voice(effort="low", record=tape)
    book = desk.ledger.requests
    with live(voice, environment, book, lambda: desk.worker, note=notes.append, sleep=desk.pauses.append) as model:
        first = night(AnthropicEditor(model))
    assert first == [("an import", ""), ("another", "")]
    assert desk.pauses == [2]
    assert [note.partition("; ")[2] for note in notes] == ["once more in 2 s"]
    book.mark_used(desk.requests()[-1].draft)
    spent = book.spent()
    with recorded(tape, Voice(), book, lambda: desk.worker, note=notes.append) as model:
        editor = AnthropicEditor(model)
        assert night(editor) == first
        book.mark_used(desk.requests()[-1].draft)
        with pytest.raises(EditorSpentError, match=r"all that .* holds was played"):
            editor.propose(context())
    assert book.spent() == 2 * spent == 8 * COST
    assert len(notes) == 1
    assert KEY not in tape.read_text(encoding="utf-8")


def test_the_flags_are_checked_before_anything_is_opened() -> None:
    Voice().check()
    Voice(model="mine", price="0/0", max_cost="1").check()
    assert Voice(max_cost="0.50").cap() == Decimal("0.50")
    for voice, said in (
        (Voice(model="mine"), "the price of the model 'mine' is not known"),
        (Voice(price="cheap"), "--price is 'cheap'"),
        (Voice(max_cost="much"), "--max-cost is 'much'"),
        (Voice(max_cost="0.31"), r"--max-cost is 0.31: a reply alone may cost \$0.32"),
        (Voice(max_cost="1", effort="max"), r"--max-cost is 1: a reply alone may cost \$1.28"),
    ):
        with pytest.raises(InputError, match=said):
            voice.check()


def test_without_a_key_nothing_is_asked(desk: Desk) -> None:
    with (
        pytest.raises(InputError, match="set ANTHROPIC_API_KEY"),
        live(Voice(), {}, desk.ledger.requests, lambda: desk.worker, note=print, sleep=desk.pauses.append),
    ):
        pass


def test_a_recording_is_not_recorded(desk: Desk, tmp_path: Path) -> None:
    voice = Voice(record=tmp_path / "b")
    with (
        pytest.raises(InputError, match="nothing to record"),
        recorded(tmp_path / "a", voice, desk.ledger.requests, lambda: desk.worker, note=print),
    ):
        pass


def test_the_sdk_is_imported_only_to_ask() -> None:
    look = "import sys, autoresearch.study.editors.voices; print({'anthropic', 'httpx2'} & set(sys.modules))"
    seen = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "set()"
