"""What follows from a judged trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoresearch.errors import StudyError
from autoresearch.study.records import Status

if TYPE_CHECKING:
    from .conftest import Night


def test_the_first_baseline_is_the_first_incumbent(night: Night) -> None:
    night.score("baseline:0", 2.0)
    night.score("baseline:1", 1.0)  # better, and still no more than a measurement
    incumbent = night.ledger.incumbent()
    assert (incumbent.version, incumbent.number, incumbent.val_bpb) == (0, 0, 2.0)
    assert incumbent.values == night.values
    [promotion] = night.ledger.promotions()
    assert (promotion.version, promotion.gain, promotion.threshold) == (0, 0.0, 0.0)


def test_another_baseline_does_not_stand_in_for_the_first(night: Night) -> None:
    night.score("baseline:1", 2.0)
    assert night.ledger.incumbent() is None


def test_a_gain_over_the_threshold_is_kept(night: Night) -> None:
    night.score("baseline:0", 2.0)
    number = night.begin("sample:0", values={**night.values, "depth": 8})
    settlement = night.finish(number, 1.75, threshold=0.125)
    assert (settlement.status, settlement.gain, settlement.threshold) == (Status.KEEP, 0.25, 0.125)
    assert settlement.promotion == night.ledger.promotions()[1]
    assert settlement.reason == "better than version 0 by 0.2500"
    incumbent = night.ledger.incumbent()
    assert (incumbent.version, incumbent.number, incumbent.values["depth"]) == (1, number, 8)
    night.check()


@pytest.mark.parametrize(
    ("val_bpb", "reason"),
    [
        (1.875, "better than version 0 by 0.1250, not by more than 0.1250"),
        (2.0, "exactly as good as version 0"),
        (2.5, "worse than version 0 by 0.5000"),
    ],
)
def test_anything_else_is_dropped_and_says_by_how_much(night: Night, val_bpb: float, reason: str) -> None:
    night.score("baseline:0", 2.0)
    settlement = night.finish(night.begin("replay:a"), val_bpb, threshold=0.125)
    assert (settlement.status, settlement.reason, settlement.promotion) == (Status.DISCARD, reason, None)
    assert night.ledger.incumbent().version == 0
    assert night.ledger.trial(1).reason == reason


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"unconfirmed": True}, "which is more than is plausible, and there was no time left to reach it twice"),
        ({"probed_in_full": False}, "but it was not probed in full"),
    ],
)
def test_a_gain_that_is_in_doubt_is_not_kept_whoever_settles_it(
    night: Night, figures: dict[str, bool], reason: str
) -> None:
    night.score("baseline:0", 2.0)
    settlement = night.finish(night.begin("replay:a"), 1.75, threshold=0.125, **figures)
    assert settlement.status is Status.DISCARD
    assert settlement.reason.startswith("better than version 0 by 0.2500, ")
    assert reason in settlement.reason
    assert night.ledger.incumbent().version == 0


def test_who_beat_its_parent_but_came_second_is_told_apart(night: Night) -> None:
    night.score("baseline:0", 2.0)
    fast, slow, bad = (night.begin(key) for key in ("sample:0", "replay:a", "replay:b"))
    assert night.finish(fast, 1.5, threshold=0.125).status is Status.KEEP
    second = night.finish(slow, 1.75, threshold=0.125)
    assert (second.status, second.lost_race) == (Status.DISCARD, True)
    assert second.reason == "beat its parent by 0.2500 but lost the race: worse than version 1 by 0.2500"
    assert night.ledger.trial(slow).lost_race
    assert not night.finish(bad, 1.99, threshold=0.125).lost_race
    night.check()


def test_the_incumbent_of_the_moment_counts_and_not_the_one_it_was_made_for(night: Night) -> None:
    night.score("baseline:0", 2.0)
    one, two = night.begin("sample:0"), night.begin("sample:1")
    night.finish(one, 1.75, threshold=0.125)
    assert night.finish(two, 1.5, threshold=0.125).gain == 0.25
    assert [made.version for made in night.ledger.promotions()] == [0, 1, 2]


def test_a_search_without_an_incumbent_cannot_be_settled(night: Night) -> None:
    number = night.begin("sample:0")
    night.ledger.judge(number, night.worker, 2.0, None, {})
    with pytest.raises(StudyError, match="cannot be settled before baseline:0 is"):
        night.ledger.settle(number, 0.1)
