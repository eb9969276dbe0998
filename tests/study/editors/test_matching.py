"""Where a block of a model belongs: what is forgiven, what is not, and what the model is told."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.revision import package_source
from autoresearch.study.editors.blocks import EditError, apply, between
from autoresearch.study.editors.matching import exact
from autoresearch.study.records import Block

CODE = """\
class First:
    def go(self, x):
        y = x + 1
        return y


class Second:
    def go(self, x):
        if x:
            y = x + 2

            x = norm(y)

        return x
"""


def after(source: str, *blocks: Block) -> str:
    """The text that blocks make, through those which apply exactly."""
    return apply(source, exact(source, blocks))


def failure(source: str, *blocks: Block) -> EditError:
    with pytest.raises(EditError) as caught:
        exact(source, blocks)
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_occurs_once_stays_as_it_is() -> None:
    blocks = (Block("        y = x + 1\n", "        y = x + 3\n"), Block("            y = x + 2\n", ""))
    assert exact(CODE, blocks) == blocks


def test_no_blocks_are_none() -> None:
    assert exact(CODE, ()) == ()


def test_a_part_of_a_line_that_occurs_once_will_do() -> None:
    assert exact(CODE, [Block("x + 2", "x + 4")]) == (Block("x + 2", "x + 4"),)
    assert exact(CODE, [Block("norm(y)\n", "x - norm(y)\n")]) == (Block("norm(y)\n", "x - norm(y)\n"),)


def test_a_line_is_not_found_inside_a_deeper_one() -> None:
    text = "    a = 1\na = 1\nb\n"
    assert after(text, Block("a = 1\n", "a = 2\n")) == "    a = 1\na = 2\nb\n"


def test_the_result_is_exact_where_the_line_alone_was_not() -> None:
    [block] = exact("    a\na\nb\n", [Block("a\n", "c\n")])
    assert apply("    a\na\nb\n", [block]) == "    a\nc\nb\n"
    assert block == Block("    a\na\n", "    a\nc\n")


@pytest.mark.parametrize(
    "search",
    [
        "        y = x + 1  \n        return y\t\n",
        "        y = x + 1\r\n        return y\r\n",
        "\n        y = x + 1\n        return y\n",
        "        y = x + 1\n   \n        return y\n",
        "\u00a0       y\u00a0=\u2003x + 1\n        return\u202fy\n",
        "        y = x + 1\u200b\n\ufeff        return y\n",
        "\t\ty = x + 1\n\t\treturn y\n",
    ],
    ids=["spaces", "crlf", "empty around", "empty inside", "kinds of space", "no width", "tabs"],
)
def test_ends_of_lines_empty_lines_and_foreign_spaces_are_forgiven(search: str) -> None:
    assert after(CODE, Block(search, "        return x + 1\n")) == CODE.replace(
        "        y = x + 1\n        return y\n", "        return x + 1\n"
    )


def test_a_foreign_space_in_a_replacement_becomes_one_of_the_file() -> None:
    text = after(
        CODE, Block("        y\u00a0= x + 1\n", "        y\u00a0= x + 5\n\u00a0\u00a0\u00a0\u00a0    z\u00a0= y\n")
    )
    assert text == CODE.replace("y = x + 1\n", "y = x + 5\n        z = y\n")


def test_a_space_that_the_file_has_is_left_alone() -> None:
    text = "a = 'x\u00a0y'\nb = 1\n"
    assert after(text, Block("b = 1  \n", "b = 'x\u00a0z'\n")) == "a = 'x\u00a0y'\nb = 'x\u00a0z'\n"


@pytest.mark.parametrize("shift", ["", "    ", "  ", "                "])
def test_a_passage_that_slid_aside_is_put_back_with_its_replacement(shift: str) -> None:
    search = f"{shift}if x:\n{shift}    y = x + 2\n\n{shift}    x = norm(y)\n"
    replace = f"{shift}if x:\n{shift}    for _ in x:\n\n{shift}        y = x\n"
    assert after(CODE, Block(search, replace)) == CODE.replace(
        "            y = x + 2\n\n            x = norm(y)\n", "            for _ in x:\n\n                y = x\n"
    )


def test_tabs_that_slid_aside_are_put_back_too() -> None:
    assert after(CODE, Block("if x:\n\ty = x + 2\n", "if x:\n\ty = 2\n")) == CODE.replace("y = x + 2", "y = 2")


def test_a_first_line_without_its_indentation_is_found_as_text() -> None:
    block = Block("y = x + 1\n        return y\n", "y = x + 1\n        return 2 * y\n")
    assert after(CODE, block) == CODE.replace("return y", "return 2 * y")


def test_two_different_shifts_are_too_many() -> None:
    error = failure(CODE, Block("  if x:\n  y = x + 2\n", ""))
    assert "is not in the file: the nearest is at line 9" in str(error)


def test_a_replacement_that_cannot_be_shifted_is_refused() -> None:
    error = failure(CODE, Block("            return y\n", "            return y\n  z = 1\n"))
    assert "is indented by 4 more than the file, and its replacement has a line that is not: '  z = 1'" in str(error)


def test_lines_that_a_replacement_keeps_stay_as_the_file_has_them() -> None:
    text = "def f():   \n    a = 1\t\n\n\n    b = 2\n"
    assert after(text, Block("def f():\n    a = 1\n\n    b = 2\n", "def f():\n    a = 1\n\n    b = 3\n")) == (
        "def f():   \n    a = 1\t\n\n    b = 3\n"
    )
    assert after(
        text, Block("def f():\n    a = 1\n\n    b = 2\n", "def f():\n    a = 1\n\n    b = 2\n    c = 3\n")
    ) == ("def f():   \n    a = 1\t\n\n\n    b = 2\n    c = 3\n")


def test_windows_lines_stay_what_they_are() -> None:
    assert after("a\r\nb\r\nc\r\n", Block("a\nb\n", "a\nd\n")) == "a\r\nd\nc\r\n"


def test_empty_lines_around_a_search_text_are_neither_needed_nor_doubled() -> None:
    text = "a\n\nb\nc\n"
    assert after(text, Block("\n\n\nb  \n", "\n\n\nd\n")) == "a\n\nd\nc\n"
    assert after(text, Block("b  \n\n\n", "d\n\n\n")) == "a\n\nd\nc\n"
    assert after(text, Block("\nb  \n", "\n\nd\n")) == "a\n\n\nd\nc\n"
    assert after(text, Block("\nb  \n", "")) == "a\nc\n"


def test_the_last_line_needs_no_end() -> None:
    assert after("a\nb", Block("b\n", "b\nc\n")) == "a\nb\nc\n"
    assert after("a\nb", Block("b\n", "")) == "a\n"


def test_blocks_are_looked_for_in_what_those_before_have_left() -> None:
    blocks = (Block("return y\n", "return why\n"), Block("return why\n", "return because\n"))
    assert after(CODE, *blocks) == CODE.replace("return y", "return because")


def test_a_text_in_two_places_is_refused_with_what_tells_them_apart() -> None:
    assert str(failure(CODE, Block("    def go(self, x):\n", ""))) == (
        "block 1 of 1 ('    def go(self, x):') fits 2 places: line 2 (after 'class First:'), line 8 (after "
        "'class Second:'); copy more of the lines around the one that you mean. No block was applied: send all of "
        "them again, these corrected"
    )


@pytest.mark.parametrize("search", ["  def go(self, x):\n", "def go(self, x):", "    def go(self, x):  \n", "go(self"])
def test_no_way_of_forgiving_chooses_between_two_places(search: str) -> None:
    assert "fits 2 places: line 2 (after 'class First:'), line 8 (" in str(failure(CODE, Block(search, "")))


def test_of_many_places_the_first_are_listed() -> None:
    assert "fits 9 places: line 1, line 2 (after 'a'), " in str(failure("a\n" * 9, Block("a\n", "")))
    assert "line 5 (after 'a') and 4 more; copy" in str(failure("a\n" * 9, Block("a\n", "")))


def test_a_text_that_is_not_there_comes_with_the_nearest_and_a_diff() -> None:
    error = failure(CODE, Block("        y = x + 1\n        yield y\n", ""))
    assert str(error) == (
        "block 1 of 1 ('        y = x + 1' …) is not in the file: the nearest is at line 3, where line 4 reads "
        "'        return y' and the block has '        yield y'. No block was applied: send all of them again, these "
        "corrected"
    )
    assert error.tail == (
        "block 1 of 1 ('        y = x + 1' …):\n--- train.py from line 3\n+++ your search text\n"
        "@@ -1,2 +1,2 @@\n         y = x + 1\n-        return y\n+        yield y"
    )


def test_a_text_like_nothing_has_no_diff() -> None:
    error = failure(CODE, Block("%%%%%%\n", ""))
    assert "is not in the file: nothing there is like it" in str(error)
    assert error.tail == ""


def test_all_bad_blocks_are_told_of_at_once() -> None:
    good = Block("            y = x + 2\n", "")
    error = failure(CODE, Block("class Frist:\n", ""), good, Block("    def go(self, x):\n", ""), Block(" \n", "a"))
    assert "block 1 of 4 ('class Frist:') is not in the file" in str(error)
    assert "block 2 of 4" not in str(error)
    assert "block 3 of 4 ('    def go(self, x):') fits 2 places" in str(error)
    assert "block 4 of 4 (' ') has an empty search text" in str(error)
    assert "+class Frist:" in error.tail


def test_a_block_that_waits_for_a_failed_one_is_not_told_of() -> None:
    error = failure(CODE, Block("class Frist:\n", "class Third:\n"), Block("class Third:\n", "class Fourth:\n"))
    assert "block 2 of 2" not in str(error)


def test_of_many_bad_blocks_the_first_are_told_of() -> None:
    error = failure(CODE, *(Block(f"        y = x + 1{number}\n", "") for number in range(20)))
    assert "; and 15 more blocks do not fit either" in str(error)
    assert len(str(error)) + len(error.tail) < 6_000


HINTS = {
    Block("class First:\n    ...\n        return y\n", ""): "'...' stands for nothing: write every line out",
    Block("class First:\n    # ... as before\n", ""): "'...' stands for nothing: write every line out",
    Block("        z = x + 1\n", "        y = x + 1\n"): "its replacement is in the file already",
}


@pytest.mark.parametrize("block", HINTS, ids=HINTS.values())
def test_what_may_explain_it_is_said(block: Block) -> None:
    assert HINTS[block] in str(failure(CODE, block))


def test_a_line_that_an_earlier_block_changed_is_said_to_be_so() -> None:
    error = failure(CODE, Block("        y = x + 1\n", ""), Block("        y = x + 1\n", "        y = x\n"))
    assert "block 2 of 2" in str(error)
    assert "a block before it has changed these lines: make one block of the two" in str(error)


def test_an_empty_file_holds_nothing() -> None:
    assert "is not in the file: nothing there is like it" in str(failure("", Block("a\n", "b\n")))


def test_a_huge_block_is_refused_in_a_moment_and_in_few_words() -> None:
    start = time.process_time()
    for search in ("a = 1\n" * 25_000, "x" * 150_000 + "\n", "\n" * 149_990 + "x\n", package_source() * 7 + "x\n"):
        error = failure(package_source(), Block(search, ""))
        assert len(str(error)) + len(error.tail) < 8_000
    assert time.process_time() - start < 20


# Few different lines at few depths, so that they repeat, with ends and empty lines of all kinds.
LINES = st.lists(
    st.sampled_from(["a", "    a", "  b", "a  ", "", " ", "\t", "c\r", "        a", "\x0c", "\u00a0a"]), max_size=9
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, st.lists(st.builds(Block, TEXTS, TEXTS), max_size=3))
def test_what_is_not_refused_applies(source: str, blocks: list[Block]) -> None:
    try:
        found = exact(source, blocks)
    except EditError as error:
        assert "\n" not in str(error)  # noqa: PT017 -- it may also apply
    else:
        apply(source, found)
        assert len(found) == len(blocks)


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, TEXTS)
def test_what_lies_between_two_texts_is_exact_already(old: str, new: str) -> None:
    assert after(old, *between(old, new)) == new


def randomly_changed(source: str, draw: random.Random) -> str:
    """A text with a few lines deleted, repeated, changed, moved or put in."""
    lines = source.splitlines(keepends=True)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(lines))
        end = at + draw.randint(1, 4)
        match draw.randrange(4):
            case 0:
                del lines[at:end]
            case 1:
                lines[at:at] = lines[at:end]
            case 2:
                lines[at:end] = [line.replace("a", "aa") for line in lines[at:end]]
            case 3:
                lines.insert(at, f"{' ' * draw.choice((0, 4, 8))}new_{draw.randrange(10**6)} = {at}\n")
    return "".join(lines)


@pytest.mark.parametrize("seed", range(30))
def test_random_edits_survive_lost_white_space(seed: int) -> None:
    draw = random.Random(seed)
    source = package_source()
    new = randomly_changed(source, draw)
    told = []
    for block in between(source, new):
        depth = draw.choice(("", "    ", "  "))
        ends = draw.choice(("\n", "  \n", "\t\n"))
        halves = (
            "".join(_worn(line, depth, ends) for line in text.splitlines()) for text in (block.search, block.replace)
        )
        told.append(Block(*halves))
    made = after(source, *told)
    assert [line.rstrip() for line in made.split("\n")] == [line.rstrip() for line in new.split("\n")]


def _worn(line: str, depth: str, ends: str) -> str:
    return f"{depth}{line}{ends}" if line.strip() else ends
