"""The human's instructions: the package's own, or a user's file, refused in one line where it is none."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from autoresearch.errors import InputError
from autoresearch.study.briefing.program import MAX_PROGRAM_BYTES, read_program

ROOT = Path(__file__).parents[3]


def test_without_a_file_it_is_the_program_at_the_root_of_the_repository() -> None:
    text = (ROOT / "program.md").read_text(encoding="utf-8")
    program = read_program()
    assert program.text == text
    assert program.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_wheel_has_it_too() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert "program.md" in setuptools["package-data"]["autoresearch"]
    assert (ROOT / "autoresearch" / "program.md").resolve() == ROOT / "program.md"


def test_a_users_file_has_a_hash_that_line_ends_do_not_change(tmp_path: Path) -> None:
    unix, windows = tmp_path / "unix.md", tmp_path / "windows.md"
    unix.write_bytes("Find a better optimizer.\nNaïvely.\n".encode())
    windows.write_bytes("\ufeffFind a better optimizer.\r\nNaïvely.\r\n".encode())
    assert read_program(windows) == read_program(unix)
    assert read_program(unix).text == "Find a better optimizer.\nNaïvely.\n"
    assert read_program(unix).sha256 != read_program().sha256


def test_one_of_just_the_size_that_is_allowed_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "program.md"
    path.write_bytes(b"x" * MAX_PROGRAM_BYTES)
    assert len(read_program(path).text) == MAX_PROGRAM_BYTES


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read --program {path}: No such file or directory; expected a text of instructions"),
        (b"", "--program {path} is empty; expected a text of instructions; leave --program out for the package's own"),
        (b" \n\t\n", "--program {path} is empty; expected a text"),
        (b"caf\xe9", "--program {path} is not UTF-8 text (byte 3); expected a text"),
        (b"one\0two", "--program {path} holds a null character (byte 3); expected a text"),
        (
            b"x" * 32_001,
            "--program {path} has more than the 32,000 bytes that are allowed: it goes out with every request",
        ),
    ],
)
def test_what_is_no_program_is_refused_in_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "program.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_program(path)
    assert str(refused.value).startswith(complaint.format(path=path))
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory; expected a text"):
        read_program(tmp_path)
