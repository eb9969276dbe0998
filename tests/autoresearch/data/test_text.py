from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.data.text import Document, from_bytes, from_str, read_jsonl, read_txt
from autoresearch.errors import DataError


def texts(path: Path, *, whole: bool = False) -> list[str]:
    return [document.text for document in read_txt(path, whole=whole)]


@given(st.text(alphabet=st.characters(codec=None), max_size=30))
def test_any_string_becomes_encodable(text: str) -> None:
    from_str(text).text.encode()


@given(st.binary(max_size=40))
def test_any_bytes_become_encodable(raw: bytes) -> None:
    from_bytes(raw).text.encode()


def test_sound_text_is_left_alone() -> None:
    assert from_str("naïve 日本 😀") == Document("naïve 日本 😀", repaired=False)


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert from_str("a\ud800b") == Document("a\ufffdb", repaired=True)


def test_a_pair_of_surrogates_becomes_its_character() -> None:
    assert from_str("\ud83d\ude00\udc00").text == "😀\ufffd"


def test_bytes_that_are_not_utf8_become_the_replacement_character() -> None:
    assert from_bytes(b"caf\xe9!") == Document("caf\ufffd!", repaired=True)


def test_a_byte_order_mark_is_no_text() -> None:
    assert from_bytes(b"\xef\xbb\xbfhi") == Document("hi")


def test_a_whole_file_is_one_document(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\n\ntwo<|endoftext|>three")
    assert texts(file, whole=True) == ["one\n\ntwo<|endoftext|>three"]


def test_end_of_text_divides_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\n\nstill one<|endoftext|>two<|endoftext|>three")
    assert texts(file) == ["one\n\nstill one", "two", "three"]


def test_blank_lines_divide_a_file_into_passages_of_about_a_thousand_characters(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    short, long = "s" * 400, "l" * 1_200
    file.write_text(f"{short}\n\n{short}\n\n{short}\n\n{long}\n\n{short}")
    assert texts(file) == ["\n\n".join([short] * 3), long, short]


def test_lines_with_blanks_only_count_as_blank(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"x" * 1_000 + b"\r\n \t\r\n\r\n" + b"y" * 1_000)
    assert [text.strip() for text in texts(file)] == ["x" * 1_000, "y" * 1_000]


def test_an_empty_file_has_no_documents(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.touch()
    assert texts(file) == []


def test_json_lines_yield_the_named_field(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"body": "one"}\n\n{"body": null}\n{"body": "\\ud800", "n": 1}\n')
    assert list(read_jsonl(file, "body")) == [
        Document("one"),
        Document(""),
        Document("\ufffd", repaired=True),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"body": "x', ["line 1", "not valid JSON"]),
        ('["x"]', ["line 1", "expected a JSON object, found list"]),
        ('{"other": "x", "title": "y"}', ["no column 'body'", "'other', 'title'", "--text-column"]),
        ('{"body": 7}', ["column 'body' holds int", "expected text"]),
    ],
)
def test_a_bad_json_line_is_named_with_the_way_out(tmp_path: Path, line: str, words: list[str]) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(line)
    with pytest.raises(DataError) as error:
        list(read_jsonl(file, "body"))
    assert all(word in str(error.value) for word in words)
