"""What trials compile, and what of it is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoresearch.isolation.kernels import COMPILED, Kernels, hand_out


@pytest.fixture
def kernels(tmp_path: Path) -> Kernels:
    return Kernels(tmp_path / "kernels")


def compiled(scratch: Path, **files: str) -> Path:
    """A trial's scratch folder in which it has compiled something."""
    for name, content in files.items():
        path = scratch / COMPILED / "inductor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return scratch


def handed(kernels: Kernels, lineage: list[str], scratch: Path) -> dict[str, str]:
    """What a trial of that lineage finds when it starts."""
    hand_out(kernels, lineage, scratch)
    return {path.name: path.read_text(encoding="utf-8") for path in (scratch / COMPILED).rglob("*") if path.is_file()}


def test_a_revision_gets_back_what_it_has_compiled(kernels: Kernels, tmp_path: Path) -> None:
    kernels.keep("a", compiled(tmp_path / "1", kernel="code"))
    assert handed(kernels, ["a"], tmp_path / "2") == {"kernel": "code"}


def test_what_is_written_after_the_clock_has_started_is_lost(kernels: Kernels, tmp_path: Path) -> None:
    first = compiled(tmp_path / "1", kernel="code")
    started = hand_out(kernels, ["a"], first)
    started()
    compiled(first, kernel="weights", more="weights")
    second = tmp_path / "2"
    assert handed(kernels, ["a"], second) == {"kernel": "code"}


def test_what_is_kept_is_not_written_over(kernels: Kernels, tmp_path: Path) -> None:
    kernels.keep("a", compiled(tmp_path / "1", kernel="code"))
    kernels.keep("a", compiled(tmp_path / "2", kernel="changed", other="more"))
    assert handed(kernels, ["a"], tmp_path / "3") == {"kernel": "code", "other": "more"}


def test_a_new_revision_begins_with_its_parents_and_a_stranger_with_nothing(kernels: Kernels, tmp_path: Path) -> None:
    kernels.keep("parent", compiled(tmp_path / "1", kernel="code"))
    assert handed(kernels, ["child", "parent"], tmp_path / "2") == {"kernel": "code"}
    assert handed(kernels, ["other"], tmp_path / "3") == {}


def test_links_and_pipes_are_not_followed(kernels: Kernels, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    scratch = compiled(tmp_path / "1", kernel="code")
    inner = scratch / COMPILED / "inductor"
    (inner / "link").symlink_to(tmp_path / "secret")
    (inner / "folder").symlink_to(tmp_path)
    os.mkfifo(inner / "pipe")
    kernels.keep("a", scratch)
    assert handed(kernels, ["a"], tmp_path / "2") == {"kernel": "code"}


def test_a_home_that_is_a_link_is_left_alone(kernels: Kernels, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / COMPILED).symlink_to(tmp_path / "elsewhere")
    kernels.keep("a", tmp_path / "1")
    assert handed(kernels, ["a"], tmp_path / "2") == {}


def test_a_flood_is_not_kept_whole(kernels: Kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoresearch.isolation.kernels._MOST_ENTRIES", 4)
    kernels.keep("a", compiled(tmp_path / "1", **{f"file{number}": "x" for number in range(10)}))
    assert len(handed(kernels, ["a"], tmp_path / "2")) == 3


def test_a_revision_s_trials_together_keep_no_more_than_one_may(
    kernels: Kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoresearch.isolation.kernels._MOST_BYTES", 25)
    for number in range(5):
        kernels.keep("a", compiled(tmp_path / str(number), **{f"file{number}": "x" * 10}))
    assert sorted(handed(kernels, ["a"], tmp_path / "last")) == ["file0", "file1"]
