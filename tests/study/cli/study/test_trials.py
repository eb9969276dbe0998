"""`autoresearch study trials`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from click.testing import Result

Command = Callable[..., Result]
Begin = Callable[..., Any]


@pytest.mark.usefixtures("night")
def test_each_trial_is_a_row_with_its_figures(study: Command) -> None:
    rows = json.loads(study("trials", "-f", "json").stdout)
    assert [row["number"] for row in rows] == list(range(15))
    assert rows[6] | {"seconds": None, "revision": None} == {
        "number": 6,
        "kind": "edit",
        "status": "keep",
        "val_bpb": 1.35,
        "gain": pytest.approx(0.06),
        "revision": None,
        "parent": 3,
        "seconds": None,
        "memory_gib": 1.25,
        "title": "square the activation",
    }
    assert rows[9]["title"] == "device_batch_size=64 (out of memory)"


@pytest.mark.usefixtures("night")
def test_a_gain_is_only_given_for_trials_on_the_baselines_own_seed(study: Command) -> None:
    rows = json.loads(study("trials", "-f", "json").stdout)
    assert [row["number"] for row in rows if row["gain"] is not None] == [3, 6, 7, 8]


@pytest.mark.usefixtures("night")
def test_the_formats_for_programs_say_the_same(study: Command) -> None:
    rows = json.loads(study("trials", "-f", "json").stdout)
    assert yaml.safe_load(study("trials", "-f", "yaml").stdout) == rows
    values = [line.split("\t") for line in study("trials", "-f", "value").stdout.splitlines()]
    assert values == [["" if value is None else str(value) for value in row.values()] for row in rows]


@pytest.mark.usefixtures("night")
def test_filters(study: Command) -> None:
    def numbers(*arguments: str) -> list[int]:
        return [row["number"] for row in json.loads(study("trials", "-f", "json", *arguments).stdout)]

    assert numbers("--kind", "edit") == [5, 6, 8]
    assert numbers("--status", "keep") == [3, 6]
    assert numbers("--kind", "edit", "--status", "keep", "--status", "crash") == [5, 6]


@pytest.mark.usefixtures("night")
def test_a_filter_that_nothing_passes_is_said_on_stderr(study: Command) -> None:
    result = study("trials", "--status", "cheat")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "no such trials\n", 0)


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize(("flag", "value"), [("--kind", "prune"), ("--status", "kept"), ("--format", "csv")])
def test_unknown_words_are_refused(refusal: Callable[..., str], flag: str, value: str) -> None:
    assert f"'{value}' is not one of" in refusal("trials", flag, value)


@pytest.mark.usefixtures("night")
def test_a_table_that_goes_into_a_file_is_whole(study: Command) -> None:
    lines = study("trials").stdout.splitlines()
    assert lines[0].split() == [
        "number",
        "kind",
        "status",
        "val_bpb",
        "gain",
        "revision",
        "parent",
        "seconds",
        "memory_gib",
        "title",
    ]
    assert lines[6].endswith("an activation that is none (train.py failed: NameError)")
    assert "\x1b" not in lines[0]


@pytest.mark.slow
@pytest.mark.usefixtures("night")
@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (80, "number kind status val_bpb gain title"),
        (200, "number kind status val_bpb gain revision parent seconds memory_gib title"),
    ],
)
def test_on_a_terminal_the_table_has_the_columns_that_fit(
    on_a_terminal: Callable[..., list[str]], columns: int, shown: str
) -> None:
    lines = on_a_terminal("trials", columns=columns)
    assert lines[0] == f"\x1b[1m{lines[0][4:-4]}\x1b[0m"
    assert lines[0][4:-4].split() == shown.split()
    assert all(len(line) <= columns for line in [lines[0][4:-4], *lines[1:]])
    assert "1.350000  +0.060000" in lines[7]


def test_a_study_without_trials(begin: Begin, study: Command) -> None:
    begin()
    result = study("trials")
    assert (result.stdout, result.stderr) == ("", "no trials\n")
    assert json.loads(study("trials", "-f", "json").stdout) == []


def test_on_either_kind_of_database(begin: Begin, study: Command, database_url: str) -> None:
    night = begin(url=database_url)
    night.baselines(1.41, 1.40)
    night.score(night.sample("0", depth=4), 1.38)
    rows = json.loads(study("trials", "-f", "json", url=database_url).stdout)
    assert [(row["val_bpb"], row["status"]) for row in rows] == [(1.41, "measured"), (1.40, "measured"), (1.38, "keep")]
