from __future__ import annotations

import pytest

from autoresearch.study.records import Incumbent, Kind, Status, TrialRecord
from autoresearch.study.schedule import Schedule
from autoresearch.study.settings import StudySettings

SETTINGS = StudySettings(
    preset="cpu",
    seconds=300.0,
    steps=None,
    data="builtin",
    fingerprint="f" * 64,
    vocab_size=300,
    context=32,
    eval_tokens=1000,
    device="cpu",
    machine="a machine",
    precision="32-true",
    compiled=False,
    seed=0,
    torch="2",
)
PROMOTED = Incumbent(version=1, number=4, revision="r", values={}, val_bpb=1.0)
BASELINE = Incumbent(version=0, number=0, revision="r", values={}, val_bpb=1.1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def trial(number: int, seconds: float, status: Status = Status.DISCARD) -> TrialRecord:
    return TrialRecord(
        number=number,
        kind=Kind.SAMPLE,
        status=status,
        revision="r",
        values={},
        seed=0,
        parent=0,
        incumbent_version=0,
        title="",
        key=f"sample:{number}",
        worker="w",
        run="run",
        result={"total_seconds": seconds - 1, "eval_seconds": 0.0} if status is Status.DISCARD else {},
    )


def schedule(clock: Clock, hours: float | None, confirm: int = 3, workers: int = 1) -> Schedule:
    return Schedule(SETTINGS, None if hours is None else 3600 * hours, None, confirm, workers, clock)


def test_without_a_deadline_there_is_always_time() -> None:
    assert schedule(Clock(), None).time_for_another([trial(0, 1e9)], PROMOTED)


def test_the_longest_of_the_recent_trials_says_how_long_the_next_takes() -> None:
    history = [trial(number, seconds) for number, seconds in enumerate((900, 330, 320, 340, 325, 335))]
    assert schedule(Clock(), 1).seconds_a_trial(history) == 340


def test_trials_without_a_score_say_nothing_about_duration() -> None:
    history = [trial(0, 330), trial(1, 5, Status.CRASH), trial(2, 9000, Status.OVER_BUDGET)]
    assert schedule(Clock(), 1).seconds_a_trial(history) == 330


def test_no_trial_starts_that_cannot_finish_before_the_deadline() -> None:
    clock = Clock()
    night = schedule(clock, 1)
    clock.now = 3600 - 330
    assert night.time_for_another([trial(0, 330)], BASELINE)
    clock.now += 1
    assert not night.time_for_another([trial(0, 330)], BASELINE)


def test_a_trial_that_was_settled_only_after_a_restart_did_not_take_all_night() -> None:
    settled_late = TrialRecord(**{**vars(trial(0, 330)), "started_at": 0.0, "finished_at": 36_000.0})
    assert schedule(Clock(), 1).seconds_a_trial([settled_late]) == 330


def test_the_test_split_is_scored_in_the_time_that_is_kept_too() -> None:
    clock = Clock()
    night = schedule(clock, 8)
    slow = TrialRecord(**{**vars(trial(0, 330)), "result": {"total_seconds": 329.0, "eval_seconds": 10.0}})
    clock.now = 8 * 3600 - (330 + 6 * 340)
    assert night.time_for_another([slow], PROMOTED)
    clock.now += 1
    assert not night.time_for_another([slow], PROMOTED)


def test_after_a_promotion_time_is_kept_to_confirm_it() -> None:
    clock = Clock()
    night = schedule(clock, 8)
    clock.now = 8 * 3600 - 330 * 7
    assert night.time_for_another([trial(0, 330)], PROMOTED)
    clock.now += 1
    assert not night.time_for_another([trial(0, 330)], PROMOTED)
    assert night.time_for_another([trial(0, 330)], BASELINE)


def test_workers_share_the_confirmation() -> None:
    clock = Clock()
    night = schedule(clock, 8, workers=4)
    clock.now = 8 * 3600 - 330 * 3  # six runs on four workers are two rounds
    assert night.time_for_another([trial(0, 330)], PROMOTED)


@pytest.mark.parametrize(("hours", "repeats"), [(8, 3), (1, 1), (0.5, 0)])
def test_a_short_night_confirms_on_fewer_seeds(hours: float, repeats: int) -> None:
    assert schedule(Clock(), hours).repeats([trial(0, 330)]) == repeats


def test_the_standing_counts_what_is_left() -> None:
    clock = Clock()
    night = Schedule(SETTINGS, 3600.0, 10, 3, 1, clock)
    clock.now = 600
    first = TrialRecord(**{**vars(trial(0, 330)), "kind": Kind.BASELINE, "status": Status.MEASURED, "val_bpb": 1.1})
    standing = night.standing([first, trial(1, 330)], PROMOTED, started=2)
    assert (standing.trials_left, standing.seconds_left, standing.best) == (8, 3000, 1.0)
    assert standing.gain == pytest.approx(0.1)
    assert standing.counts == {Status.MEASURED: 1, Status.DISCARD: 1}
    assert not night.spent(9)
    assert night.spent(10)


def test_a_pair_that_confirms_is_begun_only_if_both_halves_fit() -> None:
    clock = Clock()
    history = [trial(0, 330)]
    one, two = schedule(clock, 1), schedule(clock, 1, workers=2)
    clock.now = 3600 - 500
    assert not one.time_to_confirm(2, history)
    assert one.time_to_confirm(1, history)
    assert two.time_to_confirm(2, history)
    clock.now = 3600 - 329
    assert not one.time_to_confirm(1, history)
