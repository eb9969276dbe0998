"""What the last lines of a night say, in the situations that a researcher wakes up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autoresearch.study.records import Incumbent, Kind, Promotion, Status, TrialRecord
from autoresearch.study.report.confirmation import Verdict
from autoresearch.study.report.summary import summarize
from autoresearch.study.report.text import summary_lines
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage.runs import Run

ZERO, EDITED = "0" * 64, "e" * 64
VALUES = {"depth": 2, "matrix_lr": 0.04}
SETTINGS = StudySettings(
    preset="cpu",
    seconds=60.0,
    steps=None,
    data="builtin-v2048-c256",
    fingerprint="f" * 64,
    vocab_size=2048,
    context=256,
    eval_tokens=100_000,
    device="cpu",
    machine="a quiet machine, 2 cores",
    precision="bf16",
    compiled=True,
    seed=0,
    torch="2.13.0",
)
PLAIN = TrialRecord(0, Kind.BASELINE, Status.MEASURED, ZERO, VALUES, 0, None, -1, "baseline", "", "worker", "run")


def trial(number: int, kind: Kind, status: Status, val_bpb: float | None = None, **fields) -> TrialRecord:
    """A trial that began when the one before it ended, and took 100 seconds, 60 of them training."""
    times = {"created_at": 100.0 * number, "started_at": 100.0 * number + 1, "finished_at": 100.0 * number + 100}
    result = {} if val_bpb is None else {"training_seconds": 60.0}
    defaults = {"title": kind.value, "key": f"{kind}:{number}", "result": result, **times}
    return replace(PLAIN, number=number, kind=kind, status=status, val_bpb=val_bpb, **(defaults | fields))


BASELINES = [
    trial(0, Kind.BASELINE, Status.MEASURED, 1.410, seed=0),
    trial(1, Kind.BASELINE, Status.MEASURED, 1.400, seed=1),
    trial(2, Kind.BASELINE, Status.MEASURED, 1.390, seed=2),
]
SEARCH = [
    trial(3, Kind.SAMPLE, Status.KEEP, 1.380, values={"depth": 2, "matrix_lr": 0.051234}, parent=0),
    trial(4, Kind.SAMPLE, Status.PRUNED, parent=3, result={"last_report": [50, 1.6]}),
    trial(5, Kind.EDIT, Status.CRASH, parent=3),
    trial(6, Kind.EDIT, Status.KEEP, 1.350, revision=EDITED, title="halve the batch", parent=3),
    trial(7, Kind.SAMPLE, Status.DISCARD, 1.360, revision=EDITED, parent=6),
]
PROMOTIONS = [
    Promotion(0, 0, 1.410, 0.0, 0.0, 100.0),
    Promotion(1, 3, 1.380, 0.030, 0.01, 400.0),
    Promotion(2, 6, 1.350, 0.030, 0.01, 700.0),
]
FIRST = Incumbent(0, 0, ZERO, VALUES, 1.410)
BEST = Incumbent(2, 6, EDITED, VALUES, 1.350)


def confirmation(
    baseline: Sequence[float], incumbent: Sequence[float], version: int = 2, status: Status = Status.MEASURED
) -> list[TrialRecord]:
    """Runs on fresh seeds in pairs. On the test split both are .05 worse, and the gain is .001 smaller."""
    runs = []
    for index, scores in enumerate(zip(baseline, incumbent, strict=True)):
        for place, (role, score) in enumerate(zip(("baseline", "incumbent"), scores, strict=True)):
            key = f"confirm:v{version}:{role}:{index}"
            test = score + 0.05 + (0.001 if role == "incumbent" else 0.0)
            runs.append(
                trial(
                    8 + 2 * index + place,
                    Kind.CONFIRM,
                    status,
                    score,
                    test_bpb=test,
                    key=key,
                    seed=1000 + index,
                    revision=EDITED if role == "incumbent" else ZERO,
                )
            )
    return runs


def text(history: Sequence[TrialRecord], incumbent: Incumbent | None, promotions: Sequence[Promotion]) -> str:
    return "\n".join(summary_lines(summarize(history, incumbent, promotions, SETTINGS), "COMMAND"))


TRIED = """\
trials      {count}
  baseline  3
  sample    3: 1 kept, 1 discarded, 1 pruned
  edit      2: 1 kept, 1 crashed
"""
PROMOTED = """\
promotions  v1   trial 3  sample  1.380000  +0.030000  matrix_lr=0.05123
            v2   trial 6  edit    1.350000  +0.030000  halve the batch"""


def test_a_gain_that_fresh_seeds_confirm() -> None:
    runs = confirmation([1.412, 1.401, 1.395], [1.360, 1.352, 1.341])
    assert text([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS) == (
        TRIED.format(count=14)
        + """\
  confirm   6
baseline    1.400000 ± 0.010000 (standard deviation of 3 seeds)
noise       0.009113 from seed to seed, estimated from all repeated runs
best        1.350000 in trial 6, revision eeeeeeee
            edit: halve the batch
gain        +0.060000 over the baseline on the same seed, 6.6 times the noise
confirmed   against the baseline on 3 fresh seeds, ± standard error
  val       gain +0.051667 ± 0.001453
  test      gain +0.050667 ± 0.001453, on the split that the search never saw
verdict     real: it holds on fresh seeds, on both splits (paired t-test, 95 %)
time        0:23:20, of which 53.6 % inside training budgets
"""
        + PROMOTED
    )


def test_a_gain_that_fresh_seeds_do_not_confirm() -> None:
    runs = confirmation([1.412, 1.401, 1.395], [1.410, 1.402, 1.391])
    assert """\
confirmed   against the baseline on 3 fresh seeds, ± standard error
  val       gain +0.001667 ± 0.001453
  test      gain +0.000667 ± 0.001453, on the split that the search never saw
verdict     within the noise: no gain can be claimed (paired t-test, 95 %)
time """ in text([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS)


def test_a_gain_that_was_luck() -> None:
    runs = confirmation([1.412, 1.401], [1.412, 1.403])
    assert """\
  val       gain -0.001000 ± 0.001000
  test      gain -0.002000 ± 0.001000, on the split that the search never saw
verdict     no gain: on fresh seeds it is no better than the baseline
""" in text([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS)


def test_a_gain_on_the_split_that_the_search_has_seen_is_not_enough() -> None:
    runs = confirmation([1.4120, 1.4010, 1.3950], [1.4111, 1.4001, 1.3940])
    lines = text([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS)
    assert "verdict     in doubt: it holds on one of the splits only (paired t-test, 95 %)\n" in lines


def test_one_pair_of_runs_decides_nothing() -> None:
    runs = confirmation([1.412], [1.360])
    assert """\
confirmed   against the baseline on 1 fresh seed, ± standard error
  val       gain +0.052000
  test      gain +0.051000, on the split that the search never saw
verdict     undecided: that takes at least two pairs of runs
""" in text([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS)


def test_runs_without_a_test_score_decide_nothing() -> None:
    runs = [replace(run, test_bpb=None) for run in confirmation([1.412, 1.401], [1.360, 1.352])]
    summary = summarize([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS, SETTINGS)
    assert summary.confirmation is not None
    assert summary.confirmation.verdict is Verdict.UNDECIDED


def test_without_a_confirmation_the_best_is_not_to_be_quoted() -> None:
    assert text([*BASELINES, *SEARCH], BEST, PROMOTIONS) == (
        TRIED.format(count=8)
        + """\
baseline    1.400000 ± 0.010000 (standard deviation of 3 seeds)
noise       0.011284 from seed to seed, estimated from all repeated runs
best        1.350000 in trial 6, revision eeeeeeee
            edit: halve the batch
gain        +0.060000 over the baseline on the same seed, 5.3 times the noise
confirmed   no
            the best of many noisy scores flatters itself: do not quote it yet
            to confirm: COMMAND
time        0:13:20, of which 48.8 % inside training budgets
"""
        + PROMOTED
    )


def test_the_confirmation_of_an_earlier_incumbent_says_nothing_of_this_one() -> None:
    runs = confirmation([1.412, 1.401, 1.395], [1.360, 1.352, 1.341], version=1)
    assert """\
confirmed   no, only an incumbent before it, version 1 (real)
            the best of many noisy scores flatters itself: do not quote it yet
            to confirm: COMMAND
""" in text([*BASELINES, *SEARCH, *runs], BEST, PROMOTIONS)


def test_a_confirmation_of_which_runs_are_missing_or_failed() -> None:
    runs = confirmation([1.412, 1.401, 1.395, 1.400], [1.360, 1.352, 1.341, 1.345])
    runs[4] = replace(runs[4], status=Status.CRASH, val_bpb=None, test_bpb=None)
    assert """\
confirmed   against the baseline on 2 fresh seeds (1 missing, 1 failed), ± standard error
  val       gain +0.050500 ± 0.001500
  test      gain +0.049500 ± 0.001500, on the split that the search never saw
verdict     real: it holds on fresh seeds, on both splits (paired t-test, 95 %)
            to confirm: COMMAND
""" in text([*BASELINES, *SEARCH, *runs[:-1]], BEST, PROMOTIONS)
    nothing_yet = text([*BASELINES, *SEARCH, *runs[:1]], BEST, PROMOTIONS)
    assert "confirmed   no: of 1 fresh seeds 1 missing\n" in nothing_yet


def test_a_confirmation_run_that_was_interrupted_and_run_again_counts_once() -> None:
    runs = confirmation([1.412, 1.401], [1.360, 1.352])
    first_try = replace(runs[0], number=20, status=Status.INTERRUPTED, val_bpb=None, test_bpb=None)
    for history in ([first_try, *runs], [*runs, first_try]):
        summary = summarize([*BASELINES, *SEARCH, *history], BEST, PROMOTIONS, SETTINGS)
        assert summary.confirmation is not None
        assert (summary.confirmation.wanted, summary.confirmation.pairs) == (2, 2)


def test_nothing_beat_the_baseline() -> None:
    tried = trial(3, Kind.EDIT, Status.DISCARD, 1.430, revision=EDITED)
    assert (
        text([*BASELINES, tried], FIRST, PROMOTIONS[:1])
        == """\
trials      4
  baseline  3
  edit      1: 1 discarded
baseline    1.400000 ± 0.010000 (standard deviation of 3 seeds)
noise       0.011284 from seed to seed, estimated from all repeated runs
best        the baseline: no trial beat it by more than the noise
time        0:06:40, of which 60.0 % inside training budgets"""
    )


def test_a_study_that_has_just_begun() -> None:
    assert text([], None, []) == "trials      none yet"
    running = trial(1, Kind.BASELINE, Status.RUNNING, seed=1, finished_at=None)
    assert (
        text([BASELINES[0], running], FIRST, PROMOTIONS[:1])
        == """\
trials      1, and 1 running
  baseline  2: 1 running, 1 measured
baseline    1.410000, one run
best        the baseline, so far
time        0:01:40, of which 60.0 % inside training budgets"""
    )


def test_the_time_is_that_of_each_worker_from_the_start_of_its_run() -> None:
    two = [replace(BASELINES[0], worker="one"), replace(BASELINES[1], worker="two", created_at=0.0, finished_at=80.0)]
    run = Run("run", started_at=-20.0, ended_at=500.0, deadline=None, trial_limit=None, trials_started=2, options={})
    summary = summarize(two, FIRST, PROMOTIONS[:1], SETTINGS, [run])
    assert summary.wall_seconds == 120 + 100
    assert summary.share_in_budget == 120 / 220


def test_a_trial_whose_worker_died_is_in_no_time() -> None:
    dead = trial(1, Kind.BASELINE, Status.INTERRUPTED, finished_at=50_000.0)
    assert summarize([BASELINES[0], dead], FIRST, PROMOTIONS[:1], SETTINGS).wall_seconds == 100


def test_a_promotion_after_the_incumbent_was_read_is_left_out() -> None:
    summary = summarize([*BASELINES, *SEARCH], Incumbent(1, 3, ZERO, VALUES, 1.380), PROMOTIONS, SETTINGS)
    assert [step.version for step in summary.steps] == [1]
