from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from autoresearch.errors import RevisionError
from autoresearch.knobs import Knob
from autoresearch.presets import PRESETS, retarget
from autoresearch.revision import load, package_source
from autoresearch.study.editors.blocks import EditError
from autoresearch.study.edits import defaults_of, edited, inherited_values, sha256_of
from autoresearch.study.records import Block, Edit, Revision


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Revision:
    source = retarget(package_source(), PRESETS["cpu"])
    return Revision(sha256_of(source), source, knobs_of(tmp_path_factory)(source))


def knobs_of(folders: pytest.TempPathFactory):
    def read(source: str) -> Mapping[str, Knob]:
        path: Path = folders.mktemp("revision") / "train.py"
        path.write_text(source, encoding="utf-8")
        return load(path).knobs

    return read


@pytest.fixture(scope="module")
def make(base: Revision, tmp_path_factory: pytest.TempPathFactory):
    def revision(search: str, replace: str) -> Revision:
        edit = Edit("replay:1", "a title", "a hypothesis", (Block(search, replace),), program="f" * 64)
        return edited(edit, base, "replay", knobs_of(tmp_path_factory))

    return revision


DEPTH = "depth: Annotated[int, Int(1, 6)] = 2"


def test_an_edit_makes_a_revision_that_knows_where_it_came_from(base: Revision, make) -> None:
    revision = make("0.85 + 0.10", "0.86 + 0.09")
    assert revision.source == base.source.replace("0.85 + 0.10", "0.86 + 0.09")
    assert (revision.parent, revision.title, revision.editor) == (base.sha256, "a title", "replay")
    assert (revision.hypothesis, revision.program) == ("a hypothesis", "f" * 64)
    assert revision.sha256 == sha256_of(revision.source) != base.sha256


def test_an_edit_runs_with_its_parents_values(base: Revision, make) -> None:
    values = defaults_of(base) | {"depth": 4, "matrix_lr": 0.01}
    assert inherited_values(base, make("0.85 + 0.10", "0.86 + 0.09"), values) == values


def test_a_knob_that_the_edit_adds_stands_at_its_default(base: Revision, make) -> None:
    new = make(DEPTH, f"{DEPTH}\n    slope: Annotated[float, Float(0.0, 1.0)] = 0.25")
    values = defaults_of(base) | {"depth": 4}
    assert inherited_values(base, new, values) == values | {"slope": 0.25}


def test_a_default_that_the_edit_changes_is_what_the_edit_says(base: Revision, make) -> None:
    new = make(DEPTH, DEPTH.replace("= 2", "= 3"))
    assert inherited_values(base, new, defaults_of(base) | {"depth": 5})["depth"] == 3


def test_a_value_outside_the_edits_range_gives_way_to_its_default(base: Revision, make) -> None:
    new = make(DEPTH, DEPTH.replace("Int(1, 6)", "Int(1, 3)"))
    assert inherited_values(base, new, defaults_of(base) | {"depth": 5})["depth"] == 2


def test_a_block_that_is_not_there_is_refused(make) -> None:
    with pytest.raises(EditError, match="block 1"):
        make("no such line", "")


def test_a_text_that_breaks_the_contract_is_refused(make) -> None:
    with pytest.raises(RevisionError, match="GPT"):
        make("class GPT(", "class Gone(")
