"""Revisions and the names of their knobs in Optuna."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoresearch.errors import StudyError
from autoresearch.study.storage.revisions import names_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .conftest import Night


@pytest.fixture
def named(night_class: type[Night]) -> Callable[..., list[dict[str, str]]]:
    """The names that a row of revisions gets, each given by the ranges in which it differs."""

    def name(*changes: dict[str, Any]) -> list[dict[str, str]]:
        earlier: list[tuple[dict[str, str], dict[str, Any]]] = []
        for changed in changes:
            found = {
                knob: choice for knob, choice in night_class.revision_of("", **changed).knobs.items() if knob in changed
            }
            earlier.append((names_for(found, earlier), found))
        return [names for names, _ in earlier]

    return name


def test_a_range_may_change_under_its_name(named: Callable[..., list[dict[str, str]]]) -> None:
    assert named({"depth": IntDistribution(1, 8)}, {"depth": IntDistribution(2, 32)}) == [{"depth": "depth"}] * 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (IntDistribution(1, 8), FloatDistribution(1, 8)),
        (IntDistribution(1, 8), IntDistribution(1, 8, log=True)),
        (CategoricalDistribution([1, 4]), CategoricalDistribution([1, 4, 8])),
    ],
)
def test_a_range_of_another_kind_gets_a_name_of_its_own(
    named: Callable[..., list[dict[str, str]]], first: object, second: object
) -> None:
    names = named({"depth": first}, {"depth": second}, {"depth": first}, {"depth": second})
    assert [found["depth"] for found in names] == ["depth", "depth_v2", "depth", "depth_v2"]


def test_each_further_kind_counts_on(named: Callable[..., list[dict[str, str]]]) -> None:
    kinds = [CategoricalDistribution(choices) for choices in (["S"], ["S", "L"], ["L"], ["S", "L"])]
    assert [found["pattern"] for found in named(*({"pattern": kind} for kind in kinds))] == [
        "pattern",
        "pattern_v2",
        "pattern_v3",
        "pattern_v2",
    ]


def test_a_knob_that_is_called_like_a_version_keeps_its_own_name(night: Night) -> None:
    """`lr_v2` is a knob of the first text, so the second kind of `lr` must not be mixed up with it."""
    from autoresearch.knobs import Knob

    log, linear = FloatDistribution(0.01, 1, log=True), FloatDistribution(0.01, 1)
    first = {"lr": Knob("lr", float, 0.1, log), "lr_v2": Knob("lr_v2", float, 0.1, linear)}
    second = {"lr": Knob("lr", float, 0.1, linear)}
    names = names_for(first, [])
    assert names == {"lr": "lr", "lr_v2": "lr_v2"}
    assert names_for(second, [(names, first)]) == {"lr": "lr_v3"}


def test_a_revision_comes_back_as_it_was_written(night: Night) -> None:
    made = night.revision_of("second text", night.first, depth=IntDistribution(2, 16, log=True))
    edit = replace(made, hypothesis="why", editor="anthropic", program="f" * 64)
    night.ledger.add_revision(edit)
    assert night.ledger.revision(edit.sha256) == edit
    assert night.ledger.revisions() == [night.first, edit]
    assert night.ledger.optuna_names(edit.sha256) == {"depth": "depth_v2", "lr": "lr", "pattern": "pattern"}


def test_a_text_is_written_once(night: Night) -> None:
    edit = night.revision_of("second text", night.first)
    night.ledger.add_revision(edit)
    night.ledger.add_revision(edit)
    night.ledger.add_revision(night.first)
    assert [found.sha256 for found in night.ledger.revisions()] == [night.first.sha256, edit.sha256]


def test_the_lineage_goes_back_to_the_first_text(night: Night) -> None:
    second = night.revision_of("second", night.first)
    third, sibling = night.revision_of("third", second), night.revision_of("sibling", night.first)
    for revision in (second, sibling, third):
        night.ledger.add_revision(revision)
    assert night.ledger.lineage(third.sha256) == (night.first.sha256, second.sha256, third.sha256)
    assert night.ledger.lineage(night.first.sha256) == (night.first.sha256,)


def test_trials_of_incompatible_ranges_live_in_one_optuna_study(night: Night) -> None:
    other = night.revision_of("second", night.first, lr=FloatDistribution(0.0, 1.0))
    night.ledger.add_revision(other)
    night.score("baseline:0", 2.0)
    night.score("replay:a", 1.5, revision=other.sha256, values={**night.values, "lr": 0.0})
    first, second = night.ledger.study.optuna.get_trials()
    assert set(first.params) == {"depth", "lr", "pattern"}
    assert set(second.params) == {"depth", "lr_v2", "pattern"}
    assert night.ledger.trial(1).values["lr"] == 0.0


def test_strangers_are_named(night: Night) -> None:
    orphan = night.revision_of("orphan", night.revision_of("never written"))
    with pytest.raises(StudyError, match=r"is an edit of .{8}, which this study does not have"):
        night.ledger.add_revision(orphan)
    with pytest.raises(StudyError, match="no revision 'cafecafe'"):
        night.ledger.revision("cafecafecafe")
    with pytest.raises(StudyError, match="no revision 'cafecafe'"):
        night.ledger.lineage("cafecafecafe")
    with pytest.raises(StudyError, match="no revision 'cafecafe'"):
        night.propose("sample:0", revision="cafecafecafe")
