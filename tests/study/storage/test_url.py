"""The URL of a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoresearch.errors import StudyError
from autoresearch.study.storage.url import parse, where


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_postgresql_is_spoken_with_psycopg_3(scheme: str) -> None:
    url = parse(f"{scheme}://me:secret@db.lab:5433/night")
    assert url.drivername == "postgresql+psycopg"
    assert where(url, "") == "db.lab:5433/night"


def test_a_file_is_found_again_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = parse("sqlite:///night.db")
    assert url.database == str(tmp_path / "night.db")
    assert where(url, "sqlite:///night.db") == "night.db"


@pytest.mark.parametrize(
    "text",
    [
        "study.db",
        "",
        "journal.log",
        "mysql://me:secret@host/night",
        "mysql+pymysql://me:secret@host/night",
        "redis://me:secret@host",
        "postgresql+asyncpg://me:secret@host/night",
        "postgresql://me:secret@host:port/night",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:night.db?mode=ro&uri=true",
        "sqlite:///night.db?mode=memory",
    ],
)
def test_what_cannot_hold_a_study_is_refused_in_one_line_without_the_password(text: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.endswith("expected sqlite:///FILE.db or postgresql://USER@HOST/DATABASE")
    assert "\n" not in message
    assert "secret" not in message
