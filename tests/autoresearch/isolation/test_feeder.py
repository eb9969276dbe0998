"""Who hands out the batches holds the clock and the count."""

from __future__ import annotations

import numpy as np
import pytest

from autoresearch.data.loader import RowBatches
from autoresearch.errors import OverBudget, TrialError
from autoresearch.isolation.feeder import Feeder
from autoresearch.isolation.shared_memory import shared_memory
from autoresearch.isolation.tape import Tape, TapeShape
from autoresearch.progress import Progress

ROWS = np.arange(60, dtype=np.uint16).reshape(12, 5)
SHAPE = TapeShape(rows=2, length=5)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def tape():
    with shared_memory(SHAPE.size) as descriptor:
        yield Tape(descriptor, SHAPE, writable=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def feeder(tape: Tape, clock: Clock, accumulate: int = 1, steps: int | None = None) -> Feeder:
    return Feeder(tape, RowBatches([ROWS], 2, seed=0), accumulate, 10.0, steps, clock)


def test_the_batches_come_in_the_order_of_the_seed(tape: Tape, clock: Clock) -> None:
    feeding, seen = feeder(tape, clock), []
    for _ in range(6):
        seen.append(tape.slot(feeding.answer()["slot"]).copy())
        feeding.follow_up()
    expected = [ROWS[picked] for picked, _ in zip(RowBatches([ROWS], 2, seed=0).picks(), range(6), strict=False)]
    assert np.array_equal(np.stack(seen), np.stack(expected))


def test_before_the_clock_runs_there_is_nothing_on_the_tape(tape: Tape, clock: Clock) -> None:
    feeder(tape, clock)
    assert not tape.slot(0).any()
    assert not tape.slot(1).any()


def test_what_is_to_be_done_before_the_clock_starts_is_done_once_and_on_nobody_s_time(tape: Tape, clock: Clock) -> None:
    done: list[bool] = []

    def before_start() -> None:
        done.append(tape.slot(0).any())
        clock.now += 5.0

    feeding = Feeder(tape, RowBatches([ROWS], 2, seed=0), 1, 10.0, None, clock, before_start)
    for _ in range(3):
        feeding.answer()
        feeding.follow_up()
    assert done == [False]
    assert feeding.began == clock.now


def test_a_batch_stays_as_it_is_while_the_next_one_is_prepared(tape: Tape, clock: Clock) -> None:
    feeding = feeder(tape, clock)
    slot = tape.slot(feeding.answer()["slot"])
    before = slot.copy()
    feeding.follow_up()
    assert np.array_equal(slot, before)


def test_the_clock_starts_with_the_first_batch_and_time_ends_the_tape(tape: Tape, clock: Clock) -> None:
    feeding = feeder(tape, clock)
    clock.now = 200.0
    assert feeding.fraction == 0.0
    feeding.answer()
    clock.now = 209.9
    assert feeding.answer()["tape"] == "batch"
    clock.now = 210.5
    assert feeding.answer() == {"tape": "over"}
    assert feeding.answer() == {"tape": "over"}
    assert feeding.span == (200.0, 210.5)
    assert (feeding.steps, feeding.tokens) == (2, 2 * 2 * 4)


def test_a_step_that_was_begun_gets_all_its_batches(tape: Tape, clock: Clock) -> None:
    feeding = feeder(tape, clock, accumulate=3)
    feeding.answer()
    clock.now += 11.0
    assert [feeding.answer()["tape"] for _ in range(3)] == ["batch", "batch", "over"]
    assert feeding.steps == 1


def test_a_budget_of_steps_looks_at_no_clock(tape: Tape, clock: Clock) -> None:
    feeding = feeder(tape, clock, accumulate=2, steps=2)
    clock.now += 1e6
    assert [feeding.answer()["tape"] for _ in range(5)] == ["batch"] * 4 + ["over"]


def test_progress_is_told_by_our_count_and_clock(tape: Tape, clock: Clock) -> None:
    feeding = feeder(tape, clock)
    feeding.answer()
    clock.now += 2.5
    lie = Progress(fraction=0.99, step=10**6, loss=2.0, tokens_per_second=1e9, mfu_percent=None, seconds_left=0.0)
    told = feeding.corrected(lie)
    assert (told.fraction, told.step, told.seconds_left, told.loss) == (0.25, 1, 7.5, 2.0)


def finished(tape: Tape, clock: Clock, *lasted: float) -> Feeder:
    """A training whose steps took so long."""
    feeding = feeder(tape, clock)
    for seconds in lasted:
        assert feeding.answer()["tape"] == "batch"
        feeding.follow_up()
        clock.now += seconds
    assert feeding.answer()["tape"] == "over"
    return feeding


def test_an_honest_end_is_let_pass(tape: Tape, clock: Clock) -> None:
    finished(tape, clock, 2, 2, 2, 2, 2.5).check_end(clock.now + 1, handing_over=5.0)


def test_a_training_that_ends_early_has_no_score(tape: Tape, clock: Clock) -> None:
    feeding = feeder(tape, clock)
    feeding.answer()
    with pytest.raises(TrialError, match="ended its training before the budget was spent"):
        feeding.check_end(clock.now, handing_over=5.0)


def test_who_trains_on_before_handing_over_is_over_budget(tape: Tape, clock: Clock) -> None:
    feeding = finished(tape, clock, 2, 2, 2, 2, 2)
    with pytest.raises(OverBudget, match=r"took 6\.0 s to hand over its weights"):
        feeding.check_end(clock.now + 6, handing_over=5.0)


def test_a_last_step_far_longer_than_the_others_is_over_budget(tape: Tape, clock: Clock) -> None:
    feeding = finished(tape, clock, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7)
    with pytest.raises(OverBudget, match=r"ended 6\.0 s after the budget was spent, and a step took 1\.00 s before"):
        feeding.check_end(clock.now, handing_over=5.0)
