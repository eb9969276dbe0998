import pytest

from autoresearch.study.records import Kind
from autoresearch.study.search.policy import Policy, Ratio, Stagnation, next_kind

SAMPLE, EDIT = Kind.SAMPLE, Kind.EDIT


def night(policy: Policy, promoted_at: tuple[int, ...] = (), trials: int = 20) -> str:
    """The kinds of a night's trials, one letter each; those at the given places are promoted."""
    history: list[tuple[Kind, bool]] = []
    for number in range(trials):
        history.append((next_kind(policy, history, editor_available=True), number in promoted_at))
    return "".join(kind[0] for kind, _ in history)


def test_two_samples_without_a_promotion_lead_to_four_edits_and_back():
    assert night(Stagnation()) == "sseeeesseeeesseeeess"


def test_a_promoted_sample_is_followed_by_two_more():
    assert night(Stagnation(), promoted_at=(1,), trials=8) == "ssssee" + "ee"


def test_a_promoted_edit_goes_back_to_samples():
    assert night(Stagnation(), promoted_at=(3,), trials=8) == "sseessee"


def test_limits_of_stagnation_can_be_chosen():
    assert night(Stagnation(samples=1, edits=2), trials=7) == "seesees"


def test_an_edit_that_finishes_late_does_not_count_among_the_samples():
    history = [(SAMPLE, False), (SAMPLE, False), (EDIT, True), (EDIT, False), (SAMPLE, False)]

    assert next_kind(Stagnation(), history, editor_available=True) is SAMPLE
    assert next_kind(Stagnation(), [*history, (SAMPLE, False)], editor_available=True) is EDIT


@pytest.mark.parametrize("policy", [Stagnation(), Ratio(0.5), Ratio(1.0)])
def test_without_an_editor_there_are_only_samples(policy):
    history = [(SAMPLE, False)] * 5

    assert next_kind(policy, history, editor_available=False) is SAMPLE


@pytest.mark.parametrize("share", [0.0, 0.2, 0.25, 1 / 3, 0.5, 0.7, 1.0])
def test_a_ratio_holds_at_every_moment(share):
    kinds = night(Ratio(share), promoted_at=(2, 5, 6), trials=60)

    for count in range(1, 61):
        assert abs(kinds[:count].count("e") - share * count) <= 0.5 + 1e-9


def test_half_and_half_takes_turns():
    assert night(Ratio(0.5), trials=6) == "sesese"


def test_a_ratio_makes_up_for_the_time_without_an_editor():
    history = [(SAMPLE, False)] * 4

    assert next_kind(Ratio(0.5), history, editor_available=True) is EDIT
