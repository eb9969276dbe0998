"""SEARCH/REPLACE blocks: applying them, and finding them between two texts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.revision import package_source
from autoresearch.study.editors.blocks import EditError, apply, between, diff
from autoresearch.study.records import Block

POEM = "one\ntwo\n    three\ntwo\nfour\n"

# Few different lines, so that they repeat, with and without an end, indented, empty.
LINES = st.lists(st.sampled_from(["a", "b", "    a", "aa", "", "a b", "\x0c", "\r", " "]), max_size=12)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"])) | st.text()


def test_blocks_apply_in_order() -> None:
    assert apply(POEM, (Block("one", "1"), Block("1\n", "first\n"))) == "first\ntwo\n    three\ntwo\nfour\n"


def test_no_blocks_change_nothing() -> None:
    assert apply(POEM, ()) == POEM


def test_a_replacement_is_taken_literally() -> None:
    assert apply("a", (Block("a", r"\1 \g<0> $&"),)) == r"\1 \g<0> $&"


def failure(blocks: tuple[Block, ...], text: str = POEM) -> str:
    with pytest.raises(EditError) as caught:
        apply(text, blocks)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_text_that_occurs_twice_is_refused() -> None:
    message = failure((Block("one", "1"), Block("two\n", "2\n")))
    assert message == "the search text of block 2 of 2 ('two') must occur exactly once, but occurs 2 times"


def test_overlapping_occurrences_count() -> None:
    assert "occurs 2 times" in failure((Block("aa", "b"),), "aaa")


def test_an_empty_search_fits_everywhere_and_so_nowhere() -> None:
    assert "occurs 2 times" in failure((Block("", "b"),), "a")


def test_a_text_that_is_not_there_is_refused_with_the_nearest() -> None:
    message = failure((Block("two\n    tree\n", ""),))
    assert message == (
        "the search text of block 1 of 1 ('two' …) must occur exactly once, but is not there: the nearest is at line 2, "
        "where line 3 reads '    three' and the block has '    tree'"
    )


def test_wrong_indentation_is_named() -> None:
    assert "line 3 reads '    three' and the block has '  three'" in failure((Block("two\n  three\ntwo", ""),))


def test_a_missing_end_of_line_is_named() -> None:
    assert "where the text has ended and the block has ''" in failure((Block("end\n", ""),), "the\nend")


def test_one_misspelt_line_is_found() -> None:
    text = package_source()
    message = failure((Block("        hidden = F.rellu(self.up(x))\n", ""),), text)
    number = text.split("\n").index("        hidden = F.relu(self.up(x))") + 1
    assert f"line {number} reads '        hidden = F.relu(self.up(x))'" in message


def test_a_text_like_nothing_is_said_to_be_so() -> None:
    assert failure((Block("completely different", ""),)).endswith("is not there: nothing there is like it")


def test_a_long_line_is_cut_in_the_message() -> None:
    assert len(failure((Block("x" * 1000, ""),), "y" * 1000)) < 300


def test_the_first_block_is_named_when_the_first_fails() -> None:
    assert "block 1 of 2" in failure((Block("five", ""), Block("one", "")))


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, TEXTS)
def test_what_lies_between_two_texts_leads_from_one_to_the_other(old: str, new: str) -> None:
    assert apply(old, between(old, new)) == new


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS)
def test_nothing_lies_between_equal_texts(text: str) -> None:
    assert between(text, text) == ()


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, TEXTS)
def test_a_failing_block_is_one_line_whatever_the_texts(text: str, search: str) -> None:
    try:
        apply(text, (Block(search, ""),))
    except EditError as error:
        assert len(str(error).split("\n")) == 1  # noqa: PT017 -- it may also apply


def test_a_change_of_a_unique_line_needs_no_context() -> None:
    assert between(POEM, POEM.replace("three", "3")) == (Block("    three\n", "    3\n"),)


def test_a_repeated_line_gets_as_much_context_as_it_needs() -> None:
    assert between("a\nb\nc\nb\n", "a\nb\nc\nx\n") == (Block("c\nb\n", "c\nx\n"),)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("new\n" + POEM, Block("one\n", "new\none\n")),
        (POEM + "new\n", Block("four\n", "four\nnew\n")),
        (POEM + "new", Block("four\n", "four\nnew")),
        (POEM[:-1], Block("four\n", "four")),
        (POEM[4:], Block("one\n", "")),
    ],
)
def test_changes_at_the_ends(new: str, expected: Block) -> None:
    assert between(POEM, new) == (expected,)


def test_distant_changes_become_separate_blocks_and_close_ones_do_not() -> None:
    lines = [f"line {number}\n" for number in range(20)]
    changed = [f"new {number}\n" if number in (3, 5, 15) else line for number, line in enumerate(lines)]
    assert [len(block.search.splitlines()) for block in between("".join(lines), "".join(changed))] == [3, 1]


def test_blocks_between_two_revisions_apply_to_a_third() -> None:
    first = package_source()
    second = first.replace("4 * width", "3 * width")
    third = first.replace("SOFTCAP = 15.0", "SOFTCAP = 30.0").replace("rope_base: ", "# a comment\n    rope_base: ")
    assert apply(third, between(first, second)) == third.replace("4 * width", "3 * width")


def test_equal_texts_have_no_diff() -> None:
    assert diff(POEM, POEM, "a", "b") == ""


def test_a_diff_names_both_sides() -> None:
    assert diff("a\nb\n", "a\nc\n", "old.py", "new.py") == "--- old.py\n+++ new.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


def test_a_diff_marks_a_missing_end_of_line() -> None:
    assert diff("a\n", "a", "x", "y").endswith("-a\n+a\n\\ No newline at end of file\n")


@pytest.mark.skipif(shutil.which("patch") is None, reason="the program `patch` is not installed")
@pytest.mark.parametrize("new", [POEM + "new", "new\n" + POEM, POEM.replace("two", "2"), POEM[:-1]])
def test_patch_reads_the_diff(new: str, tmp_path: Path) -> None:
    file = tmp_path / "poem"
    file.write_text(POEM, encoding="utf-8")
    text = diff(POEM, new, "poem", "poem")
    subprocess.run(["patch", "poem"], cwd=tmp_path, input=text, text=True, check=True, capture_output=True)
    assert file.read_text(encoding="utf-8") == new
