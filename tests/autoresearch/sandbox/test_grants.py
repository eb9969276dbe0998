"""What is handed over, and what is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import autoresearch
from autoresearch.sandbox.bubblewrap import Bubblewrap
from autoresearch.sandbox.grants import Grants, lies_in

CHECKOUT = Path(autoresearch.__file__).resolve().parent.parent


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


def test_python_and_our_packages_are_readable(study: Path) -> None:
    grants = Grants.for_trials(study, devices=False)
    for path in (Path(sys.executable).resolve(), CHECKOUT / "autoresearch" / "train.py", CHECKOUT / "callbacks"):
        assert lies_in(path.resolve(), grants.readable), path
    assert grants.writable == (study,)


def test_a_checkout_is_not_readable_as_a_whole(study: Path) -> None:
    grants = Grants.for_trials(study, devices=False)
    assert not lies_in(CHECKOUT / "pyproject.toml", grants.readable)
    assert not lies_in(CHECKOUT / "autoresearch.db", grants.readable)


def test_no_path_is_granted_that_holds_the_home_folder(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "users" / "somebody"))
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path / 'users'}:{tmp_path / 'lib'}")
    for name in ("users/somebody", "lib"):
        (tmp_path / name).mkdir(parents=True)
    grants = Grants.for_trials(study, devices=False)
    assert tmp_path / "lib" in grants.readable
    assert not lies_in(tmp_path / "users" / "somebody", grants.readable)


def test_what_is_hidden_covers_what_holds_it_and_what_lies_in_it_shows_again(tmp_path: Path) -> None:
    for name in ("usr/home/venv", "usr/home/study"):
        (tmp_path / name).mkdir(parents=True)
    usr = tmp_path / "usr"
    grants = Grants((usr, usr / "home" / "venv"), (usr / "home" / "study",), devices=False, hidden=(usr / "home",))
    words = Bubblewrap().command(["/usr/bin/true"], grants)
    places = [words.index(str(path)) for path in (usr, usr / "home", usr / "home" / "study", usr / "home" / "venv")]
    assert places == sorted(places)
    assert words[words.index(str(usr / "home")) - 1] == "--tmpfs"
    assert words[-5:] == ["/", "--chdir", "/", "--", "/usr/bin/true"]


def test_what_is_hidden_is_covered_behind_a_link_as_well(tmp_path: Path) -> None:
    venv, linked = tmp_path / "venv", tmp_path / "linked"
    (venv / "texts").mkdir(parents=True)
    linked.symlink_to(venv)
    words = Bubblewrap().command(
        ["/usr/bin/true"], Grants((venv, linked), (), devices=False, corpora=(venv / "texts",))
    )
    covered = {words[at + 1] for at, word in enumerate(words) if word == "--tmpfs"}
    assert covered >= {str(venv / "texts"), str(linked / "texts")}
