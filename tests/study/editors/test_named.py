"""Which editor a user asks for, and what is said to flags that make no sense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoresearch.errors import InputError
from autoresearch.study.editors.named import Asked, default_editor
from autoresearch.study.editors.voices import Voice

EDIT = {"title": "t", "hypothesis": "h", "edits": [{"search": "a", "replace": "b"}]}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_model_edits_where_there_is_a_key_for_it() -> None:
    assert default_editor({}) == "none"
    assert default_editor({"ANTHROPIC_API_KEY": " "}) == "none"
    assert default_editor({"ANTHROPIC_API_KEY": "sk-1"}) == "anthropic"
    assert default_editor({"ANTHROPIC_AUTH_TOKEN": "token"}) == "anthropic"


def test_editors_that_need_no_key_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "edits.jsonl"
    path.write_text(json.dumps(EDIT), encoding="utf-8")
    for spec in ("none", f"replay:{path}", "command:true"):
        Asked(spec).check()


@pytest.mark.parametrize(
    "spec", ["", "none:", "none:x", "replay", "replay:", "Replay:x", "gpt", "anthropic:", "cassette:"]
)
def test_an_unknown_editor_is_refused_with_those_that_there_are(spec: str) -> None:
    with pytest.raises(
        InputError, match=r"^there is no editor '.*': expected none, anthropic, command:'CMD', cassette"
    ):
        Asked(spec).check()


def test_a_command_editor_needs_a_command() -> None:
    with pytest.raises(InputError, match="has no command"):
        Asked("command:  ").check()


def test_without_a_key_it_says_which_variable_is_missing() -> None:
    with pytest.raises(InputError, match="set ANTHROPIC_API_KEY"):
        Asked("anthropic").check()


def test_a_model_of_unknown_price_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    with pytest.raises(InputError, match="--price"):
        Asked("anthropic", Voice(model="llama-9")).check()
    Asked("anthropic", Voice(model="llama-9", price="0/0")).check()


@pytest.mark.parametrize("voice", [Voice(model="claude-opus-5-5"), Voice(max_cost="5"), Voice(record=Path("x"))])
def test_the_model_s_flags_belong_to_the_model(voice: Voice) -> None:
    with pytest.raises(InputError, match=r"is for --editor anthropic, and this one is none: leave it out"):
        Asked("none", voice).check()


def test_instructions_are_for_an_editor_that_reads(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is for an editor that reads, not for none"):
        Asked("none", program=tmp_path / "mine.md").check()


def test_a_limit_that_is_no_sum_of_money_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    with pytest.raises(InputError, match="--max-cost"):
        Asked("anthropic", Voice(max_cost="plenty")).check()
