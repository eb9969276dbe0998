"""Replies as models write them, well and badly: what is read, and what they are told of the rest."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.revision import package_source
from autoresearch.study.editors.blocks import EditError, apply, between
from autoresearch.study.editors.reply import (
    FORMAT,
    MAX_CHARACTERS,
    WHOLE_FILE,
    Reply,
    ReplyError,
    edit_of,
    read_reply,
)
from autoresearch.study.records import Block, Edit

HEAD = "TITLE: Use ten\nHYPOTHESIS: Ten is more\nthan one.\n\n"
BLOCK = "<<<<<<< SEARCH\na = 1\n=======\na = 10\n>>>>>>> REPLACE\n"
READ = Reply("Use ten", "Ten is more\nthan one.", (Block("a = 1\n", "a = 10\n"),))
FILE = '"""The experiment."""\n\n\nclass GPT(Base):\n    """Says so\n    =======\n    """\n'


def failure(text: str) -> str:
    with pytest.raises(ReplyError) as caught:
        read_reply(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fenced(text: str, language: str = "", fence: str = "```") -> str:
    return f"{fence}{language}\n{text}{fence}\n"


SURROUNDINGS = {
    "plain": HEAD + BLOCK,
    "no end": (HEAD + BLOCK).rstrip(),
    "prose around": f"Sure, here it is.\n\n{HEAD}{BLOCK}\nThis should help.\n",
    "fence": HEAD + fenced(BLOCK),
    "python fence": HEAD + fenced(BLOCK, "python"),
    "search-replace fence": HEAD + fenced(BLOCK, " search-replace train.py"),
    "tilde fence": HEAD + fenced(BLOCK, "diff", "~~~~"),
    "name of the file": f"{HEAD}train.py\n{fenced(BLOCK, 'python')}",
    "name in the fence": HEAD + fenced(f"train.py\n{BLOCK}", "python"),
    "fence around all": fenced(HEAD + BLOCK, "text"),
    "fence around all, unclosed": "```\n" + HEAD + BLOCK,
    "fences in a fence": fenced(HEAD + fenced(BLOCK, "python"), "markdown"),
    "longer fence around all": fenced(HEAD + fenced(BLOCK, "python"), "", "`````"),
    "fence closed before blocks": fenced(HEAD.rstrip() + "\n") + "\n" + fenced(BLOCK, "python"),
    "crlf": (HEAD + BLOCK).replace("\n", "\r\n"),
    "old Macintosh": (HEAD + BLOCK).replace("\n", "\r"),
    "byte order mark": "\ufeff" + HEAD + BLOCK,
    "thought aloud": f"<think>\n{BLOCK.replace('10', '11')}or rather\n</think>\n{HEAD}{BLOCK}",
    "bold": f"**TITLE:** Use ten\n\n**HYPOTHESIS:** Ten is more\nthan one.\n\n{BLOCK}",
    "bold, colon outside": f"**Title**: Use ten\n**Hypothesis**: Ten is more\nthan one.\n{BLOCK}",
    "bold lines": f"**TITLE: Use ten**\n**HYPOTHESIS: Ten is more\nthan one.**\n{BLOCK}",
    "bold values": f"TITLE: **Use ten**\nHYPOTHESIS: Ten is more\nthan one.\n{BLOCK}",
    "headings": f"# Title: Use ten\n\n## Hypothesis\n\nTen is more\nthan one.\n\n## Edit\n\n{BLOCK}".replace(
        "## Edit\n", ""
    ),
    "heading over title": f"## TITLE\n\nUse ten\n\n## HYPOTHESIS\n\nTen is more\nthan one.\n{BLOCK}",
    "quoted title": f'TITLE: "Use ten"\nHYPOTHESIS: Ten is more\nthan one.\n{BLOCK}',
    "backticks": f"`TITLE`: `Use ten`\n`HYPOTHESIS`: Ten is more\nthan one.\n{BLOCK}",
    "list": f"- title: Use ten\n- hypothesis: Ten is more\nthan one.\n{BLOCK}",
    "dash": f"Title - Use ten\nHypothesis \u2014 Ten is more\nthan one.\n{BLOCK}",
    "wide colon": f"TITLE\uff1a Use ten\nHYPOTHESIS\uff1a Ten is more\nthan one.\n{BLOCK}",
    "spaces in the title": f"TITLE:   Use\t  ten  \nHYPOTHESIS: Ten is more\nthan one.\n{BLOCK}",
    "headings after": f"{BLOCK}\n{HEAD}",
    "a second title": f"{HEAD}{BLOCK}\nTITLE: another\n",
    "a fence of prose": f"{HEAD}{BLOCK}\nIt makes this:\n{fenced('a = 10', 'python')}",
    "underlined heading": f"Edit\n=======\n\n{HEAD}{BLOCK}",
}


@pytest.mark.parametrize("text", SURROUNDINGS.values(), ids=SURROUNDINGS.keys())
def test_what_surrounds_a_block_is_forgiven(text: str) -> None:
    assert read_reply(text) == READ


MARKERS = {
    "five": BLOCK.replace("<<<<<<<", "<<<<<").replace("=======", "=====").replace(">>>>>>>", ">>>>>"),
    "nine": BLOCK.replace("<<<<<<<", "<" * 9).replace("=======", "=" * 9).replace(">>>>>>>", ">" * 9),
    "miscounted": BLOCK.replace("<<<<<<<", "<" * 6).replace(">>>>>>>", ">" * 8),
    "file": BLOCK.replace("SEARCH", "SEARCH train.py"),
    "file with folder": BLOCK.replace("SEARCH", "SEARCH `autoresearch/train.py`:"),
    "file alone": BLOCK.replace("SEARCH", "train.py").replace(" REPLACE", ""),
    "lines": BLOCK.replace("SEARCH", "SEARCH (lines 12-14)"),
    "numbered": BLOCK.replace("SEARCH", "SEARCH block 1").replace("REPLACE", "REPLACE #1"),
    "bare": BLOCK.replace(" SEARCH", "").replace(" REPLACE", ""),
    "glued": BLOCK.replace(" SEARCH", "SEARCH").replace(" REPLACE", "REPLACE"),
    "lower case": BLOCK.lower(),
    "git's": BLOCK.replace("SEARCH", "HEAD").replace("REPLACE", "updated"),
    "other words": BLOCK.replace("SEARCH", "ORIGINAL").replace("REPLACE", "UPDATED"),
    "trailing spaces": BLOCK.replace("SEARCH", "SEARCH  ")
    .replace("=======", "======= \t")
    .replace("REPLACE", "REPLACE "),
    "fence on the last marker": BLOCK.replace("REPLACE", "REPLACE```"),
    "fences inside": "<<<<<<< SEARCH\n```python\na = 1\n```\n=======\n```python\na = 10\n```\n>>>>>>> REPLACE\n",
    "indented markers": BLOCK.replace("<<<", "  <<<", 1).replace("===", "  ===", 1).replace(">>>", "  >>>", 1),
}


@pytest.mark.parametrize("block", MARKERS.values(), ids=MARKERS.keys())
def test_markers_may_vary(block: str) -> None:
    assert read_reply(HEAD + block) == READ


def test_many_blocks_keep_their_order() -> None:
    texts = [BLOCK.replace("1\n", f"{number}\n") for number in range(30)]
    assert [block.search for block in read_reply(HEAD + "and\n".join(texts)).blocks] == [
        f"a = {n}\n" for n in range(30)
    ]


@pytest.mark.parametrize(
    "replace", ["", "\n", "    \n\n", "<\n<<\n>>> f(1)\n====\n==========\n# =======\nx = '======='\n"]
)
def test_a_replacement_is_taken_literally(replace: str) -> None:
    block = f"<<<<<<< SEARCH\n    a\n=======\n{replace}>>>>>>> REPLACE\n"
    assert read_reply(HEAD + block).blocks == (Block("    a\n", replace),)


@pytest.mark.parametrize(
    "line", ["s = '<<<<<<< SEARCH'", '"""<<<<<<< SEARCH', "# >>>>>>> REPLACE", "f('=======')", "x <<= 1"]
)
def test_what_only_holds_a_marker_is_none(line: str) -> None:
    block = f"<<<<<<< SEARCH\n{line}\n=======\n{line}{line}\n>>>>>>> REPLACE\n"
    assert read_reply(HEAD + block).blocks == (Block(f"{line}\n", f"{line}{line}\n"),)


@pytest.mark.parametrize("underline", ["    =======", "=====", "======", "========"])
def test_an_underlined_heading_in_a_docstring_is_no_divider(underline: str) -> None:
    half = f'    """Title\n{underline}\n    """\n'
    block = f"<<<<<<< SEARCH\n{half}=======\n{half}    more\n>>>>>>> REPLACE\n"
    assert read_reply(HEAD + block).blocks == (Block(half, f"{half}    more\n"),)


def test_eight_characters_tell_a_divider_from_a_line_like_it() -> None:
    half = '"""Title\n=======\n"""\n'
    block = f"<<<<<<<< SEARCH\n{half}========\n{half}more\n>>>>>>>> REPLACE\n"
    assert read_reply(HEAD + block).blocks == (Block(half, f"{half}more\n"),)
    assert "has 3 lines '=======', of which one must be the divider; close each block before the next" in failure(
        HEAD + block.replace("<" * 8, "<" * 7).replace("=" * 8, "=" * 7).replace(">" * 8, ">" * 7)
    )


LINES = "a = 1\n"
LOST = {
    "unterminated": (
        HEAD + BLOCK.rpartition(">>>>>>> ")[0],
        "the block opened at line 5 of the reply ('a = 1' …) is not closed by",
    ),
    "cut off before the divider": (HEAD + BLOCK[:18], "is not closed by '>>>>>>> REPLACE' before the reply ends"),
    "the second unterminated": (
        HEAD + BLOCK + BLOCK[:30],
        "the block opened at line 10 of the reply ('a = 1' …) is not",
    ),
    "nested": (HEAD + BLOCK.replace("a = 10\n", BLOCK), "before the next one opens; line 13 of the reply, '>>>>>>> RE"),
    "closed by a fence": (HEAD + fenced(BLOCK.rpartition(">>>>>>> ")[0]), "is not closed by"),
    "never opened": (
        HEAD + BLOCK + BLOCK[15:],
        "line 13 of the reply, '>>>>>>> REPLACE', closes a block that was never",
    ),
    "no divider": (HEAD + BLOCK.replace("=======\n", ""), "block 1 ('a = 1' …) has no line '=======' between"),
    "two dividers": (HEAD + BLOCK.replace("10\n", "10\n=======\n"), "has 2 lines '=======', of which one must be"),
    "divider of another look, twice": (
        HEAD + BLOCK.replace("=======", "======").replace("10\n", "10\n  =======\n"),
        "has 2 lines '======', of which one must be",
    ),
    "empty search": (
        HEAD + BLOCK + BLOCK.replace("a = 1\n", "", 1),
        "block 2 ('=======' …) has an empty SEARCH; to insert",
    ),
    "blank search": (HEAD + BLOCK.replace("a = 1\n", " \n\n", 1), "has an empty SEARCH"),
    "code on the line of a marker": (
        HEAD + BLOCK.replace("SEARCH", "SEARCH x = norm(x)"),
        "block 1 ('a = 1' …) has text on the line of a marker ('SEARCH x = norm(x)'); move it to its own line",
    ),
    "four characters": (
        HEAD + BLOCK + BLOCK.replace("<<<<<<<", "<<<<").replace("=======", "====").replace(">>>>>>>", ">>>>"),
        "'<<<< SEARCH' is no marker; expected",
    ),
    "ten characters": (
        HEAD + BLOCK + BLOCK.replace("<<<<<<<", "<" * 10).replace(">>>>>>>", ">" * 10),
        "'<<<<<<<<<< SEARCH' is no marker; expected",
    ),
    "other signs": (
        HEAD + BLOCK + BLOCK.replace("<<<<<<<", "-------").replace(">>>>>>>", "+++++++"),
        "'------- SEARCH' is no marker; expected",
    ),
    "quoted": (HEAD + BLOCK + "> " + BLOCK.replace("\n", "\n> "), "'> <<<<<<< SEARCH' is no marker; expected"),
    "words for markers": (HEAD + BLOCK + f"SEARCH:\n{LINES}REPLACE:\nb\n", "'SEARCH:' is no marker; expected"),
    "divider alone": (HEAD + BLOCK + fenced("a\n=======\nb\n", "python"), "'=======' is no marker; expected"),
    "null": (HEAD + BLOCK.replace("10", "1\0"), "block 1 ('a = 1' …) holds a null character or half a surrogate pair"),
    "surrogate": (HEAD + BLOCK.replace("10", "1\ud800"), "holds a null character or half a surrogate pair"),
    "null in a file": (HEAD + fenced(FILE.replace("The", "\0"), "python"), "the file holds a null character or half"),
    "too many": (HEAD + BLOCK * 51, "51 blocks, at most 50 are taken; merge neighbouring ones"),
    "block and file": (
        HEAD + BLOCK + fenced(FILE, "python"),
        "blocks and a whole file, of which only one can be meant",
    ),
    "bad block and file": (HEAD + BLOCK[:30] + fenced(FILE, "python"), "is not closed by"),
    "a file of many lines": (HEAD + fenced(FILE + "\n" * 5_000), "the file has 5,007 lines, at most 5,000 are read"),
    "two files": (
        HEAD + fenced(FILE, "python") * 2,
        "2 fences of code; expected one, with the whole file from its first",
    ),
    "file in parts": (
        HEAD + fenced(FILE, "python") + fenced("def f(): pass\n"),
        "2 fences of code; expected one, with",
    ),
    "file cut off": (HEAD + fenced(FILE, "python")[:-4], "the fence around the file is not closed, so its end may be"),
    "file without a fence": (
        HEAD + FILE,
        "there is a file outside of a fence; put the whole of it between a line ```p",
    ),
    "a fence without a model": (
        HEAD + fenced("a = 10\n", "python"),
        "there is no block; expected '<<<<<<< SEARCH', the",
    ),
    "a diff": (HEAD + fenced("--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n", "diff"), "there is a diff and no block; expected"),
    "prose": (
        "I have no further ideas.",
        "there is no block; expected '<<<<<<< SEARCH', the lines of train.py, '=======",
    ),
    "no title": (BLOCK, "there is no title; begin with a line 'TITLE: ' and what the edit does"),
    "an empty title": ("TITLE:\n\n" + BLOCK, "there is no title; begin with a line 'TITLE: '"),
    "JSON": (json.dumps({"title": "t", "edits": [{"search": BLOCK}]}), "there is no block"),
    "empty": ("", "the reply is empty; expected TITLE:, HYPOTHESIS: and at least one SEARCH/REPLACE block"),
    "blank": (
        " \r\n\t\n\u2028",
        "the reply is empty; expected TITLE:, HYPOTHESIS: and at least one SEARCH/REPLACE block",
    ),
    "thoughts only": (f"<think>{HEAD}{BLOCK}", "the reply is empty; expected TITLE:"),
    "200 kB": (
        HEAD + BLOCK + "a" * 200_000,
        ",  at most 150,000 are read; send only a title".replace(",  ", " characters, "),
    ),
}


@pytest.mark.parametrize(("text", "words"), LOST.values(), ids=LOST.keys())
def test_nothing_is_lost_in_silence(text: str, words: str) -> None:
    assert words in failure(text)


def test_a_reply_says_all_that_is_wrong_with_it() -> None:
    message = failure(BLOCK.replace("=======\n", "") + BLOCK.replace("a = 1\n", "", 1) + BLOCK + BLOCK[:20])
    assert message.startswith("the reply cannot be read: ")
    for words in ("block 1 ('a = 1' …) has no line", "block 2 (", "the block opened at line 14", "there is no title"):
        assert words in message
    assert message.endswith(". Nothing of it was used: send all of it again")


def test_a_whole_file_is_read_from_its_only_fence() -> None:
    for text in (
        HEAD + fenced(FILE, "python"),
        HEAD + fenced(FILE),
        HEAD + fenced(f"\n{FILE}\n", "py", "~~~") + "Done.\n",
    ):
        assert read_reply(text) == Reply("Use ten", "Ten is more\nthan one.", (), FILE)


def test_a_whole_file_may_stand_in_a_fence_around_all() -> None:
    assert read_reply(fenced(HEAD + fenced(FILE, "python"), "", "````")).whole_file == FILE


def test_a_missing_hypothesis_is_empty_and_a_missing_title_is_made_of_it() -> None:
    assert read_reply("TITLE: t\n" + BLOCK) == Reply("t", "", READ.blocks)
    reply = read_reply("HYPOTHESIS: Ten is more. One is less.\n" + BLOCK)
    assert (reply.title, reply.hypothesis) == ("Ten is more", "Ten is more. One is less.")


def test_a_repaired_reply_keeps_the_title_of_the_one_before() -> None:
    assert read_reply(BLOCK.replace("10", "20"), before=READ) == Reply(
        READ.title, READ.hypothesis, (Block("a = 1\n", "a = 20\n"),)
    )
    assert read_reply("TITLE: Use nine\n" + BLOCK, before=READ).title == "Use nine"


def test_titles_and_hypotheses_are_printable_and_short() -> None:
    reply = read_reply(f"TITLE: a\0b\ud800 {'x' * 500}\nHYPOTHESIS: \x1b[31mred\n{'y ' * 9_000}\n{BLOCK}")
    assert reply.title.startswith("a\ufffdb\ufffd xxx")
    assert reply.hypothesis.startswith("\ufffd[31mred\ny y ")
    assert (len(reply.title), len(reply.hypothesis)) == (120, 4_000)
    assert reply.title.endswith("x …")


def test_the_largest_reply_is_read_in_a_moment() -> None:
    start = time.process_time()
    block = f"<<<<<<< SEARCH\n{LINES * 20_000}=======\nb\n>>>>>>> REPLACE\n"
    assert len(read_reply(HEAD + block).blocks[0].search) == 120_000
    for line in (
        " " * 140_000 + "x",
        "*" * 140_000,
        "<<<<<<<" + " " * 140_000 + "!",
        "`" * 140_000,
        "title" + " " * 140_000 + "x",
    ):
        failure(line)
    for line in ("<<<<<<<", "```", ">>>>>>>", "=======", f"<<<<<<<{'`' * 90}!\n=======\n>>>>>>>", "title:", "SEARCH"):
        assert len(failure(f"{line}\n" * (140_000 // len(line)))) < 3_000
    assert len(read_reply(HEAD + BLOCK + "x" * (MAX_CHARACTERS - len(HEAD + BLOCK))).blocks) == 1
    assert time.process_time() - start < 20


# What is asked for, in pieces, so that they meet in all orders.
PIECES = st.sampled_from(
    [
        "<<<<<<< SEARCH",
        "=======",
        ">>>>>>> REPLACE",
        "```",
        "```python",
        "a = 1",
        "",
        "TITLE: t",
        "HYPOTHESIS: h",
        "class GPT:",
    ]
)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text() | st.lists(PIECES | st.text(max_size=9), max_size=15).map("\n".join))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        reply = read_reply(text)
    except ReplyError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 -- it may also be read
    else:
        assert reply.title.isprintable()
        assert bool(reply.blocks) != (reply.whole_file is not None)
        opened = sum(line.strip().startswith("<<<<<<< SEARCH") for line in text.split("\n"))
        assert len(reply.blocks) >= opened


@pytest.mark.parametrize("seed", range(100))
def test_one_spoilt_line_costs_no_block_in_silence(seed: int) -> None:
    draw = random.Random(seed)
    blocks = "\n".join(BLOCK.replace("a =", f"a{number} =") for number in range(3))
    lines = (HEAD + draw.choice((blocks, fenced(blocks, "python")))).split("\n")
    at = draw.randrange(len(lines))
    line = lines[at]
    cut = draw.randint(0, len(line))
    spoilt = (
        [],
        [line, line],
        [line[:cut] + line[cut + 1 :]],
        [line[:cut]],
        [line[cut:]],
        [f"> {line}"],
        [f"{line}x"],
        ["=" * 7],
    )
    lines[at : at + 1] = draw.choice(spoilt)
    try:
        reply = read_reply("\n".join(lines))
    except ReplyError:
        return
    assert len(reply.blocks) == 3
    assert all(
        "<<" not in half and ">>" not in half for block in reply.blocks for half in (block.search, block.replace)
    )


def edit(text: str, source: str = "a = 1\nb = 2\n") -> Edit:
    return edit_of(read_reply(text), source, "anthropic:1", "f" * 64)


def test_an_edit_carries_exact_blocks_and_where_it_came_from() -> None:
    made = edit(HEAD + BLOCK.replace("a = 1\n", "  a = 1\n").replace("a = 10", "  a = 10"))
    assert made == Edit("anthropic:1", READ.title, READ.hypothesis, (Block("a = 1\n", "a = 10\n"),), "f" * 64)


def test_a_block_that_does_not_fit_is_no_edit() -> None:
    with pytest.raises(EditError, match=r"^block 1 of 1 \('a = 1'\) is not in the file: nothing there is like it"):
        edit(HEAD + BLOCK, "%%\n")


@pytest.mark.parametrize("text", [HEAD + BLOCK.replace("10", "1"), HEAD + fenced(FILE, "python")])
def test_an_edit_that_changes_nothing_is_refused(text: str) -> None:
    with pytest.raises(EditError, match=r"^the edit changes nothing: .*; propose one that changes its code$"):
        edit(text, FILE + "a = 1\n" if BLOCK[:20] in text else FILE)


def test_a_whole_file_becomes_blocks() -> None:
    source = package_source()
    new = source.replace("4 * width", "3 * width")
    made = edit(HEAD + fenced(new, "python"), source)
    assert apply(source, made.blocks) == new
    assert sum(len(block.search) for block in made.blocks) < 500


def test_the_forms_that_are_shown_to_a_model_can_be_read() -> None:
    shown = read_reply(FORMAT.partition("form:\n")[2].partition("\nGive ")[0])
    assert (shown.title, len(shown.blocks)) == ("one line, what the edit does", 1)
    whole = read_reply(WHOLE_FILE.replace("the whole of the new train.py,", "class GPT"))
    assert whole.whole_file is not None


def as_reply(blocks: tuple[Block, ...], draw: random.Random) -> str:
    """Blocks as a model might write them: with prose, fences and numbered markers, or without."""
    texts = []
    for number, block in enumerate(blocks, 1):
        width, label = draw.choice((7, 7, 5, 9)), draw.choice(("", " train.py", f" block {number}"))
        texts.append(
            f"{'<' * width} SEARCH{label}\n{ended(block.search)}{'=' * width}\n{ended(block.replace)}{'>' * width} REPLACE\n"
        )
    texts = [draw.choice((text, fenced(text, "python"), f"Then this.\n\n{text}")) for text in texts]
    text = HEAD + "\n".join(texts)
    return draw.choice((text, fenced(text, "", "````"), text.replace("\n", "\r\n"), text.rstrip()))


def ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"


@pytest.mark.parametrize("seed", range(40))
def test_random_edits_come_through_a_reply_as_they_were(seed: int) -> None:
    draw = random.Random(seed)
    source = package_source()
    lines = source.splitlines(keepends=True)
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(lines))
        new = [draw.choice(lines), f"{' ' * draw.choice((0, 4, 8))}new_{draw.randrange(10**6)} = {at}\n", "\n"]
        lines[at : at + draw.randrange(4)] = draw.sample(new, draw.randrange(4))
    text = as_reply(between(source, "".join(lines)), draw)
    assert apply(source, edit(text, source).blocks) == "".join(lines)
