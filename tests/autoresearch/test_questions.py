"""What is asked to find out whether a model plays by the rules, on functions that do and that do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from autoresearch.errors import Cheat
from autoresearch.questions import (
    Disagreement,
    Drift,
    Sheet,
    drift,
    nats_by_row,
    plan,
    plan_thorough,
    refuse,
    refuse_drift,
    worst_disagreements,
)

TOKENS = np.random.default_rng(0).integers(0, 50, size=(40, 16)).astype(np.int32)
ROWS, LENGTH = TOKENS.shape
Model = Callable[[np.ndarray], np.ndarray]  # tokens (n, T) -> something for each position (n, T)


def causal(tokens: np.ndarray) -> np.ndarray:
    return np.cumsum(tokens, axis=1).astype(np.float32)


def sees_the_next(tokens: np.ndarray) -> np.ndarray:
    return causal(tokens) + np.roll(tokens, -1, axis=1)


def sees_its_block_of_four(tokens: np.ndarray) -> np.ndarray:
    means = tokens.reshape(len(tokens), -1, 4).mean(axis=2)
    return causal(tokens) + np.repeat(means, 4, axis=1).astype(np.float32)


def sees_the_other_rows(tokens: np.ndarray) -> np.ndarray:
    return causal(tokens) + tokens.mean()


def examined(model: Model, probed: int = 30, repeated: int = 8) -> Disagreement:
    sheets = plan(TOKENS, probed, repeated, np.random.default_rng(1))
    answers = [model(sheet.tokens) for sheet in sheets]
    again, probed = worst_disagreements(nats_by_row(sheets, answers, ROWS), sheets, answers)
    return max(again, probed, key=lambda worst: worst.nats)


def test_every_row_is_asked_as_it_stands_by_one_of_the_two() -> None:
    sheets = plan(TOKENS, probed=10, repeated=5, random=np.random.default_rng(1))
    plain = [(int(row), sheet) for sheet in sheets for row in sheet.rows[sheet.cuts == LENGTH]]
    assert {row for row, _ in plain} == set(range(ROWS))
    assert len(plain) == ROWS + 5
    assert sum(int((sheet.cuts < LENGTH).sum()) for sheet in sheets) == 10


def test_a_probe_is_the_row_up_to_its_cut_and_another_from_there_on() -> None:
    for sheet in plan(TOKENS, probed=40, repeated=0, random=np.random.default_rng(2)):
        for row, cut, asked in zip(sheet.rows, sheet.cuts, sheet.tokens, strict=True):
            assert np.array_equal(asked[:cut], TOKENS[row, :cut])
            assert cut == LENGTH or asked[cut] != TOKENS[row, cut]


def test_a_row_and_its_probe_go_to_different_processes() -> None:
    one, other = plan(TOKENS, probed=40, repeated=40, random=np.random.default_rng(3))
    for sheet in (one, other):
        assert len(set(sheet.rows)) == len(sheet.rows)


def test_the_score_is_from_the_rows_as_they_stand() -> None:
    sheets = plan(TOKENS, probed=20, repeated=10, random=np.random.default_rng(4))
    found = nats_by_row(sheets, [causal(sheet.tokens) for sheet in sheets], ROWS)
    assert np.array_equal(found, causal(TOKENS))


def test_a_causal_model_agrees_with_itself() -> None:
    assert examined(causal).nats == 0.0


@pytest.mark.parametrize("leak", [sees_the_next, sees_its_block_of_four])
def test_a_leak_is_caught_with_its_place(leak: Model) -> None:
    worst = examined(leak)
    assert worst.position < worst.cut < LENGTH
    with pytest.raises(Cheat, match=rf"position {worst.position} .* the tokens from {worst.cut} on were replaced"):
        refuse(worst, 1e-3, LENGTH)


def test_rows_that_influence_each_other_are_caught() -> None:
    worst = examined(sees_the_other_rows, probed=0)
    with pytest.raises(Cheat, match="when the same row was asked again among others"):
        refuse(worst, 1e-3, LENGTH)


def test_what_rounding_explains_is_let_pass() -> None:
    refuse(Disagreement(0.9e-3, 0, 3, 5), 1e-3, LENGTH)


def test_answers_that_are_no_numbers_are_no_sign_of_cheating() -> None:
    assert examined(lambda tokens: np.full(tokens.shape, np.nan, np.float32)).nats == 0.0


def test_in_the_end_every_row_has_been_probed_once() -> None:
    random = np.random.default_rng(6)
    before = plan(TOKENS, probed=10, repeated=5, random=random)
    sheets = [*before, plan_thorough(TOKENS, before, random)]
    probed = np.concatenate([sheet.rows[sheet.cuts < LENGTH] for sheet in sheets])
    assert sorted(probed) == list(range(ROWS))


def test_a_leak_in_one_row_is_found_where_all_are_probed() -> None:
    random = np.random.default_rng(5)
    before = plan(TOKENS, probed=10, repeated=5, random=random)
    leaky = next(row for row in range(ROWS) if all(row not in sheet.rows[sheet.cuts < LENGTH] for sheet in before))

    def leaks_in_one_row(tokens: np.ndarray) -> np.ndarray:
        is_it = np.all(tokens[:, :1] == TOKENS[leaky, :1], axis=1, keepdims=True)
        return causal(tokens) + is_it * tokens.sum(axis=1, keepdims=True)

    sheet = plan_thorough(TOKENS, before, random)
    found = leaks_in_one_row(TOKENS).astype(np.float32)
    _, worst = worst_disagreements(found, [sheet], [leaks_in_one_row(sheet.tokens)])
    assert TOKENS[worst.row, 0] == TOKENS[leaky, 0]
    assert worst.nats > 1


def drifted(leak: float, noise: float) -> Drift | None:
    """What a model shows that gains `leak` nats from the next token, and rounds by `noise`."""
    random = np.random.default_rng(7)
    sheets = plan(TOKENS, probed=30, repeated=0, random=random)

    def model(sheet: Sheet) -> np.ndarray:
        knows = np.zeros(sheet.tokens.shape)
        knows[:, :-1] = sheet.tokens[:, 1:] == TOKENS[sheet.rows, 1:]
        return (5.0 - leak * knows + random.normal(0, noise, knows.shape)).astype(np.float32)

    answers = [model(sheet) for sheet in sheets]
    return drift(nats_by_row(sheets, answers, ROWS), sheets, answers)


def test_a_leak_below_rounding_shows_in_the_mean() -> None:
    found = drifted(leak=0.3, noise=0.02)
    assert found is not None
    assert found.span == 1
    assert found.nats == pytest.approx(0.3, abs=0.03)
    with pytest.raises(Cheat, match=r"in the 1 positions before .* a position must not depend on later tokens"):
        refuse_drift(found, 0.4)


def test_rounding_has_no_sign() -> None:
    refuse_drift(drifted(leak=0.0, noise=0.1), 0.4)


def test_answers_that_agree_to_the_last_bit_do_not_drift() -> None:
    found = drifted(leak=0.0, noise=0.0)
    assert found is not None
    assert found.nats == 0.0
    refuse_drift(found, 1e-4)
