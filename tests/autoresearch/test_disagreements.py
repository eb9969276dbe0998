"""The judge's questions: which answers must agree, and in which words they do not."""

from __future__ import annotations

import numpy as np
import pytest

from autoresearch.errors import Cheat
from autoresearch.questions import Disagreement, Sheet, nats_by_row, plan, refuse, worst_disagreements

LENGTH = 8


def sheet(rows: list[int], cuts: list[int]) -> Sheet:
    return Sheet(np.array(rows), np.array(cuts), np.zeros((len(rows), LENGTH), dtype=np.int32))


def answers(*levels: float) -> np.ndarray:
    return np.repeat(np.array(levels, dtype=np.float32)[:, None], LENGTH, axis=1)


def worst(first: np.ndarray, second: np.ndarray, cuts: list[int]) -> tuple[Disagreement, Disagreement]:
    """The first process is asked rows 0, 1, ... as they are; the second the same rows, up to the cuts."""
    rows = list(range(len(first)))
    sheets, given = [sheet(rows, [LENGTH] * len(rows)), sheet(rows, cuts)], [first, second]
    return worst_disagreements(nats_by_row(sheets, given, len(rows)), sheets, given)


def test_answers_that_agree_differ_by_nothing() -> None:
    again, probed = worst(answers(1, 2), answers(1, 2), [LENGTH, 3])
    assert again.nats == probed.nats == 0.0


def test_a_probe_counts_up_to_its_cut_and_no_further() -> None:
    second = answers(1.0)
    second[0, 3:] = 9.0
    assert worst(answers(1.0), second, [3])[1].nats == 0.0
    assert worst(answers(1.0), second, [4])[1] == Disagreement(8.0, 0, 3, 4)


def test_a_row_that_is_asked_again_is_told_from_a_probe() -> None:
    again, probed = worst(answers(1, 2), answers(1.5, 7.0), [LENGTH, 3])
    assert (again.nats, again.row) == (0.5, 0)
    assert (probed.nats, probed.row) == (5.0, 1)


@pytest.mark.parametrize("silence", [np.nan, np.inf, -np.inf])
def test_who_keeps_silent_where_it_is_probed_has_given_another_answer(silence: float) -> None:
    assert worst(answers(1.0), answers(silence), [3])[1].nats == np.inf
    assert worst(answers(silence), answers(1.0), [3])[1].nats == np.inf
    assert worst(answers(silence), answers(silence), [3])[1].nats == 0.0


def test_the_words_say_what_is_not_allowed() -> None:
    refuse(Disagreement(0.001, 0, 2, 5), 0.001, LENGTH)
    with pytest.raises(Cheat, match=r"at position 2 of a row changed by 0\.5 nats .* when the tokens from 5 on were"):
        refuse(Disagreement(0.5, 0, 2, 5), 0.001, LENGTH)
    with pytest.raises(
        Cheat, match=r"at position 2 of a row changed by 0\.5 nats .* when the same row was asked again"
    ):
        refuse(Disagreement(0.5, 0, 2, LENGTH), 0.001, LENGTH)


def test_every_row_is_scored_once() -> None:
    tokens = np.random.default_rng(0).integers(0, 99, size=(40, LENGTH))
    first, second = plan(tokens, 10, 5, np.random.default_rng(1))
    plain = [one.rows[one.cuts == LENGTH] for one in (first, second)]
    assert set(np.concatenate(plain)) == set(range(40))
    assert len(np.concatenate(plain)) == 40 + 5
