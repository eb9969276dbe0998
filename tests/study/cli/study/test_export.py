"""`autoresearch study export`."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
from click.testing import Result

from autoresearch.study.editors.replay import read_records
from autoresearch.study.records import Status

Command = Callable[..., Result]
Begin = Callable[..., Any]


@pytest.mark.usefixtures("night")
def test_results_tsv_is_read_by_pandas(study: Command, tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    assert study("export", "--tsv", str(path)).stderr == f"written  {path}\n"
    frame = pandas.read_csv(path, sep="\t", dtype={"commit": str})
    assert list(frame.columns) == ["commit", "val_bpb", "memory_gb", "status", "description"]
    assert frame["val_bpb"].dtype == float
    assert list(frame["status"]) == ["keep", "keep", "discard", "crash", "keep", "discard", "discard", "crash"]
    assert frame["commit"].str.fullmatch("[0-9a-f]{7}").all()
    best = frame[frame["status"] == "keep"].sort_values("val_bpb").iloc[0]
    assert (best["val_bpb"], best["description"]) == (1.35, "square the activation")
    assert math.isnan(frame["val_bpb"][2])  # pruned: neither a score nor a zero that would win
    assert list(frame["val_bpb"][frame["status"] == "crash"]) == [0.0, 0.0]


@pytest.mark.usefixtures("night")
def test_results_tsv_has_the_originals_form(study: Command) -> None:
    lines = study("export", "--tsv").stdout.splitlines()
    assert lines[1].split("\t")[1:] == ["1.410000", "1.2", "keep", "baseline"]
    assert lines[4].split("\t")[1:] == [
        "0.000000",
        "0.0",
        "crash",
        "an activation that is none (train.py failed: NameError)",
    ]
    assert lines[6].split("\t")[4] == "depth=3"


def test_nothing_in_a_description_breaks_the_table(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    reason = 'bad\tline\nof "text" ' + "x" * 400
    night.fail(night.edit('"relu"', "1", '"quoted", at its start'), Status.CRASH, reason)
    text = study("export", "--tsv", "-").stdout
    frame = pandas.read_csv(io.StringIO(text), sep="\t")
    assert len(frame) == 2
    description = frame["description"][1]
    assert description.startswith("'quoted', at its start (bad line of 'text' xxx")
    assert len(description) == 200


@pytest.mark.usefixtures("night")
def test_edits_that_came_to_a_score_are_exported_in_their_order(study: Command, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    assert study("export", "--edits", str(path)).exit_code == 0
    assert [edit.title for edit in read_records(path)] == ["square the activation", "a smoother activation"]
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(record["status"], record["val_bpb"]) for record in records] == [("keep", 1.35), ("discard", 1.39)]


@pytest.mark.usefixtures("night")
def test_kept_leaves_out_what_was_not_promoted(study: Command) -> None:
    records = [json.loads(line) for line in study("export", "--edits", "--kept").stdout.splitlines()]
    assert [record["title"] for record in records] == ["square the activation"]
    assert records[0]["edits"] == [{"search": '"relu"', "replace": '"relu squared"'}]


def test_an_edit_that_was_kept_at_the_second_try_is_exported_once_as_kept(begin: Begin, study: Command) -> None:
    night = begin()
    night.baselines(1.41, 1.40)
    night.score(night.edit('"relu"', '"gelu"', "smooth"), 1.42)
    night.score(night.edit("depth", "deepness", "a word"), 1.43)
    # Another study's values could make the same text better; here the same blocks come back under the key of a rebase.
    night.score(night.sample("0", depth=3), 1.39)
    night.score(night.edit('"relu"', '"gelu"', "smooth (rebased)", key="replay:smooth@3"), 1.35)
    records = [json.loads(line) for line in study("export", "--edits").stdout.splitlines()]
    assert [(record["title"], record["status"]) for record in records] == [("smooth", "keep"), ("a word", "discard")]


def test_without_edits_there_is_nothing_to_write(begin: Begin, refusal: Callable[..., str], tmp_path: Path) -> None:
    begin()
    path = tmp_path / "none.jsonl"
    assert refusal("export", "--edits", str(path)) == "study 'night' has no edit that came to a score"
    assert not path.exists()


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize("arguments", [[], ["--tsv", "-", "--edits", "-"]])
def test_it_is_one_or_the_other(refusal: Callable[..., str], arguments: list[str]) -> None:
    assert refusal("export", *arguments) == "expected exactly one of --tsv and --edits: what to write"


@pytest.mark.usefixtures("night")
def test_kept_belongs_to_edits(refusal: Callable[..., str]) -> None:
    assert refusal("export", "--tsv", "-", "--kept") == "--kept goes with --edits: results.tsv has its status column"


@pytest.mark.usefixtures("night")
def test_a_file_that_exists_is_not_written_over(refusal: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("mine")
    assert "File exists" in refusal("export", "--tsv", str(tmp_path / "mine.tsv"))
    assert (tmp_path / "mine.tsv").read_text() == "mine"
