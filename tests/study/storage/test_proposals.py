"""The queue of proposals, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoresearch.study.records import Block, Edit, Kind, Proposal, TrialRecord
from autoresearch.study.storage import Refusal

if TYPE_CHECKING:
    from .conftest import Night


def test_a_proposal_comes_back_as_it_was_put_in(night: Night) -> None:
    edit = Edit("replay:a", "title", "hypothesis", (Block("a = 1", "a = 2\n\0"),), "f" * 64, "given up")
    proposal = Proposal(
        key="replay:a",
        kind=Kind.EDIT,
        revision=night.first.sha256,
        values={"depth": 4, "lr": 1, "pattern": "S"},
        seed=2**32 - 1,
        incumbent_version=3,
        parent=7,
        title="title",
        system_attrs={"autoresearch:box": {"low": 0.1}},
        edit=edit,
        error="does not apply",
    )
    assert night.ledger.propose(proposal)
    [(_, found)] = night.ledger.ready(3)
    assert found == proposal


def test_a_key_is_proposed_once(night: Night) -> None:
    assert night.propose("sample:0")
    assert not night.propose("sample:0", seed=2)
    [(_, found)] = night.ledger.ready(-1)
    assert found.seed == 1


def test_ready_is_what_fits_the_incumbent_and_outdated_the_rest(night: Night) -> None:
    night.propose("baseline:1", version=-1)
    night.propose("sample:0", version=0)
    night.propose("replay:a", version=1)
    night.propose("confirm:v0:baseline:0", version=0)
    assert [found.key for _, found in night.ledger.ready(1)] == ["baseline:1", "replay:a", "confirm:v0:baseline:0"]
    assert [found.key for _, found in night.ledger.outdated(1)] == ["sample:0"]


def test_a_stale_proposal_is_out_of_the_queue_but_keeps_its_key(night: Night) -> None:
    night.propose("sample:0")
    assert night.ledger.mark_stale(night.proposal_id("sample:0"))
    assert not night.ledger.mark_stale(night.proposal_id("sample:0"))
    assert night.ledger.ready(-1) == []
    assert night.claim("sample:0") is Refusal.TAKEN
    assert not night.propose("sample:0")


def test_one_takes_the_place_of_another_once(night: Night) -> None:
    night.propose("replay:a", version=0)
    before = night.proposal_id("replay:a")
    again = Proposal("replay:a@v1", Kind.EDIT, night.first.sha256, night.values, 1, 1)
    assert night.ledger.propose(again, instead_of=before)
    assert not night.ledger.propose(replace(again, key="replay:a@v2"), instead_of=before)
    assert [proposal.key for _, proposal in night.ledger.waiting()] == ["replay:a@v1"]


def test_one_whose_place_cannot_be_taken_stays(night: Night) -> None:
    night.propose("replay:a")
    assert isinstance(night.claim("replay:a"), TrialRecord)
    again = Proposal("replay:a@v1", Kind.EDIT, night.first.sha256, night.values, 1, 1)
    assert not night.ledger.propose(again, instead_of=night.proposal_id("replay:a"))
    assert night.ledger.waiting() == []


def test_a_key_can_be_taken_without_a_trial(night: Night) -> None:
    proposal = Proposal("replay:a", Kind.EDIT, night.first.sha256, night.values, 1, 0)
    assert night.ledger.propose(proposal, stale=True)
    assert night.ledger.ready(0) == []
    assert night.ledger.proposal_keys("replay:") == ["replay:a"]


def test_keys_are_found_by_their_beginning_to_the_letter(night: Night) -> None:
    for key in ("replay:a", "replay:A", "replay:a_1", "sample:0", "sample:1"):
        night.propose(key)
    assert night.ledger.proposal_keys("replay:a") == ["replay:a", "replay:a_1"]
    assert night.ledger.proposal_keys("replay:_") == []
    assert len(night.ledger.proposal_keys()) == 5
    assert night.ledger.sample_count() == 2


def test_what_a_sampler_wants_to_find_again_is_found_by_trial(night: Night) -> None:
    night.score("baseline:0", 2.0)
    number = night.begin("sample:0", system_attrs={"autoresearch:anchor": 3})
    assert night.ledger.sampler_states() == {number: {"autoresearch:anchor": 3}}


def test_what_a_promotion_has_overtaken_is_not_claimed(night: Night) -> None:
    night.score("baseline:0", 1.0)
    night.propose("sample:0")
    night.propose("confirm:v0:baseline:0")
    night.score("sample:1", 0.9)
    assert night.claim("sample:0") is Refusal.TAKEN
    assert night.queue()["sample:0"] == "ready"  # for whoever lists next to withdraw or rebase
    assert not isinstance(night.claim("confirm:v0:baseline:0"), Refusal)
