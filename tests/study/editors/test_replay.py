"""Recorded edits: what a file of them may hold, in which order they come, and the way there and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import InputError
from autoresearch.study.editors.editor import EditContext
from autoresearch.study.editors.replay import ReplayEditor, read_records, write_records
from autoresearch.study.records import Block, Edit

GOOD: dict[str, Any] = {"title": "t", "hypothesis": "h", "edits": [{"search": "a", "replace": "b"}]}


def record(**changes: Any) -> str:
    return json.dumps(GOOD | changes)


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "edits.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def failure(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_records(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_records_come_in_the_order_of_the_file_each_once(tmp_path: Path) -> None:
    path = written(tmp_path, *(record(title=f"edit {n}", edits=[{"search": "a", "replace": str(n)}]) for n in range(3)))
    editor, used, titles = ReplayEditor(path), frozenset[str](), []
    while (edit := editor.propose(EditContext(source="a", revision="0" * 64, used=used))) is not None:
        titles.append(edit.title)
        used |= {edit.key}
    assert titles == ["edit 0", "edit 1", "edit 2"]


def test_a_key_depends_on_the_replacements_alone(tmp_path: Path) -> None:
    [first] = read_records(written(tmp_path, record()))
    [renamed] = read_records(written(tmp_path, record(title="other", hypothesis="other", val_bpb=1.5)))
    [changed] = read_records(written(tmp_path, record(edits=[{"search": "a", "replace": "c"}])))
    assert first.key == renamed.key != changed.key
    assert first.key.startswith("replay:")
    assert len(first.key) == len("replay:") + 16


def test_empty_lines_and_further_fields_are_passed_over(tmp_path: Path) -> None:
    [edit] = read_records(written(tmp_path, "", record(val_bpb=1.2, status="keep", trial=7), "", ""))
    assert edit.blocks == (Block("a", "b"),)


def test_other_line_separators_inside_a_string_are_no_line_ends(tmp_path: Path) -> None:
    line = json.dumps(GOOD | {"hypothesis": "one\u2028two\x85three"}, ensure_ascii=False)
    assert read_records(written(tmp_path, line))[0].hypothesis == "one\u2028two\x85three"


BAD_LINES = {
    "not json": "no valid JSON (Expecting value at column 1); expected one object a line",
    '{"title": "t"': "no valid JSON (Expecting ',' delimiter at column 14); expected one object a line",
    "[" * 100_000: "no JSON of a record; expected an object with title, hypothesis and edits",
    "[1]": "a list; expected an object with title, hypothesis and edits",
    "null": "null; expected an object with title, hypothesis and edits",
    '{"hypothesis": "h"}': "the record has no title; expected a string",
    '{"title": "t"}': "the record has no hypothesis; expected a string",
    record(title=3): "the title of the record is a number; expected a string",
    record(hypothesis=None): "the hypothesis of the record is null; expected a string",
    record(title=" "): "the title is ' '; expected one line of printable text",
    record(title="two\nlines"): r"the title is 'two\nlines'; expected one line of printable text",
    record(edits=None): "edits is missing; expected a list of at least one {search, replace}",
    record(edits=[]): "edits is empty; expected a list of at least one {search, replace}",
    record(edits="a"): "edits is a string; expected a list of at least one {search, replace}",
    record(edits=["a"]): "edit 1 of 1 is a string; expected an object with search and replace",
    record(edits=[GOOD["edits"][0], {"search": "a"}]): "edit 2 of 2 has no replace; expected a string",
    record(edits=[{"search": True, "replace": ""}]): "the search of edit 1 of 1 is a boolean; expected a string",
    record(edits=[{"search": "", "replace": "b"}]): (
        "the search of edit 1 of 1 is empty; expected text that occurs exactly once in train.py"
    ),
    record(edits=[{"search": "a", "replace": "\0"}]): (
        "the replace of edit 1 of 1 holds a null character or half a surrogate pair; expected plain text"
    ),
    record(hypothesis="\ud800"): (
        "the hypothesis of the record holds a null character or half a surrogate pair; expected plain text"
    ),
    record(title="the same"): "the edits are those of line 1; expected each record once",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_named_with_its_number(line: str, tmp_path: Path) -> None:
    path = written(tmp_path, record(), "", line)
    assert failure(path) == f"{path} line 3: {BAD_LINES[line]}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    assert failure(path) == f"cannot read {path}: No such file or directory; expected a file of recorded edits"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "Is a directory" in failure(tmp_path)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edits.jsonl"
    path.write_bytes(b"\xff\xfe")
    assert failure(path) == f"cannot read {path}: it is not UTF-8 text; expected a file of recorded edits"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "holds no edits: expected one JSON object a line" in failure(written(tmp_path, "", ""))


PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
EDITS = st.builds(
    Edit,
    key=st.just("anthropic:1"),
    title=st.text(st.characters(categories=["L", "N", "P"]), min_size=1),
    hypothesis=PLAIN,
    blocks=st.lists(st.builds(Block, PLAIN.filter(bool), PLAIN), min_size=1, max_size=3).map(tuple),
)


@settings(deadline=None)  # a busy machine is no failure
@given(edits=st.lists(EDITS, min_size=1, max_size=4, unique_by=lambda edit: edit.blocks))
def test_what_is_written_is_read_again(edits: list[Edit], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("replay") / "edits.jsonl"
    path.write_text(write_records(edits), encoding="utf-8", newline="\n")
    read = read_records(path)
    assert [(edit.title, edit.hypothesis, edit.blocks) for edit in read] == [
        (edit.title, edit.hypothesis, edit.blocks) for edit in edits
    ]


def test_the_same_replacements_are_written_once() -> None:
    first = Edit("x:1", "first", "", (Block("a", "b"),))
    again = Edit("x:2", "again", "", (Block("a", "b"),))
    assert [json.loads(line)["title"] for line in write_records([first, again]).splitlines()] == ["first"]


def test_further_fields_are_written_for_the_reader() -> None:
    edit = Edit("x:1", "t", "h", (Block("a", "b"),))
    [line] = write_records([edit], {"x:1": {"val_bpb": 1.25}}).splitlines()
    assert json.loads(line) == GOOD | {"val_bpb": 1.25}
