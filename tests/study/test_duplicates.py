"""Which texts are the same program."""

from __future__ import annotations

import pytest

from autoresearch.errors import RevisionError
from autoresearch.revision import package_source
from autoresearch.study.duplicates import fingerprint

CODE = '''\
"""A module."""


class Net:
    """A net."""

    def forward(self, x, scale=2**4):
        """Go."""
        # twice
        y = (x + 1) * scale
        return y
'''

SAME = {
    "comments": CODE.replace("# twice", "# thrice\n        # or so"),
    "no comment": CODE.replace("        # twice\n", ""),
    "docstrings": CODE.replace("A net.", "Another net.").replace("A module.", "More."),
    "no docstring": CODE.replace('        """Go."""\n', ""),
    "a remark as text": CODE.replace("        return", '        "now"\n        return'),
    "empty lines": CODE.replace("\n", "\n\n"),
    "ends of lines": CODE.replace("\n", "   \r\n"),
    "indentation": CODE.replace("    ", "\t"),
    "parentheses": CODE.replace("(x + 1) * scale", "(((x) + (1))) * (scale)").replace("return y", "return (y)"),
    "spaces": CODE.replace("(x + 1) * scale", "(x+1)  *scale"),
    "two statements on a line": CODE.replace("scale\n        return y", "scale; return y"),
    "broken line": CODE.replace("(x + 1) * scale", "(x + \\\n 1) * scale"),
    "spelling of a number": CODE.replace("2**4", "0b10**0x4"),
    "trailing comma": CODE.replace("2**4)", "2**4,)"),
}

OTHER = {
    "a number": CODE.replace("2**4", "2**5"),
    "an integer made a float": CODE.replace("x + 1", "x + 1.0"),
    "a number made true": CODE.replace("x + 1", "x + True"),
    "worked out": CODE.replace("2**4", "16"),
    "parentheses that matter": CODE.replace("(x + 1) * scale", "x + 1 * scale"),
    "order": CODE.replace("(x + 1)", "(1 + x)"),
    "a name": CODE.replace("y", "z"),
    "a statement": CODE.replace("        return", "        y = y\n        return"),
    "a text that is used": CODE.replace('"""Go."""', 'self.text = """Go."""'),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_what_python_does_not_see_makes_no_difference(text: str) -> None:
    assert text != CODE
    assert fingerprint(text) == fingerprint(CODE)


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER.keys())
def test_all_else_makes_one(text: str) -> None:
    assert fingerprint(text) != fingerprint(CODE)


def test_texts_are_compared_by_what_they_hold() -> None:
    assert fingerprint("x = 'a' \"b\"\n") == fingerprint('x = u"""ab"""\n') == fingerprint("x = '\\x61b'\n")


@pytest.mark.parametrize("head", ["class A", "def f()", "async def f()", "if x", "for _ in x", "while x", "with x"])
def test_a_body_of_nothing_but_a_docstring_is_an_empty_one(head: str) -> None:
    assert (
        fingerprint(f"{head}:\n    'text'\n")
        == fingerprint(f"{head}:\n    pass\n")
        == fingerprint(f"{head}: 'a'; 'b'\n")
    )


def test_no_two_lines_of_the_shipped_file_can_be_left_out_alike() -> None:
    lines = package_source().splitlines(keepends=True)
    whole = fingerprint("".join(lines))
    knobs = [at for at, line in enumerate(lines) if line.startswith("    ") and ": Annotated[" in line and "=" in line]
    without = [fingerprint("".join(lines[:at] + lines[at + 1 :])) for at in knobs if lines[at].rstrip()[-1] != "("]
    assert len({whole, *without}) == len(without) + 1 > 15


def test_a_fingerprint_is_a_sha256() -> None:
    assert len(fingerprint("")) == 64
    assert int(fingerprint("")[:16], 16) >= 0


BROKEN = {
    "syntax": "def f(:\n",
    "null": "a\0",
    "surrogate": "a = '\ud800'\n",
    "deep": "(" * 5_000 + ")" * 5_000,
    "long": "-" * 5_000 + "1",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_program_is_refused(text: str) -> None:
    with pytest.raises(RevisionError):
        fingerprint(text)


def test_an_escape_that_python_warns_of_is_no_reason_to_warn() -> None:
    assert fingerprint("x = '\\d'\n") == fingerprint("x = '\\\\d'\n")
