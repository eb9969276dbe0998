"""What is proposed next, with scores made up by the test and everything else real."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from autoresearch.errors import TrialError
from autoresearch.study.editors.editor import EditContext
from autoresearch.study.editors.replay import ReplayEditor
from autoresearch.study.edits import defaults_of, edited
from autoresearch.study.records import Kind, Revision, Status
from autoresearch.study.search.policy import Ratio
from autoresearch.study.storage.database import Database

from .scored_night import ALWAYS_EDIT, BROKEN, GONE, GOOD, OTHER, Night, knobs_of


def test_the_first_trials_are_the_baseline_on_seeds_of_its_own(night: Night, first: Revision) -> None:
    planner = night.planner(baseline_repeats=3)
    trials = [night.next(planner, 1.5)[0] for _ in range(3)]
    assert [(trial.kind, trial.seed) for trial in trials] == [(Kind.BASELINE, seed) for seed in (7, 8, 9)]
    assert {trial.revision for trial in trials} == {first.sha256}
    assert all(trial.values == defaults_of(first) for trial in trials)


def test_a_baseline_that_failed_ends_the_search(night: Night) -> None:
    planner = night.planner()
    trial, _ = night.claim(planner)
    night.ledger.fail(trial.number, night.worker, Status.CRASH, "no such module")
    with pytest.raises(TrialError, match=r"the baseline failed \(trial 0, crash\): no such module"):
        planner.next()


def test_samples_and_edits_run_on_the_studys_seed_and_the_incumbents_code(night: Night, first: Revision) -> None:
    planner = night.planner()
    night.baseline(planner)
    sample, _ = night.next(planner, 1.6)
    assert (sample.kind, sample.seed, sample.parent, sample.revision) == (Kind.SAMPLE, 7, 0, first.sha256)
    assert sample.values.keys() == first.knobs.keys()
    assert sample.values != defaults_of(first)


def test_without_an_editor_there_are_samples_only(night: Night) -> None:
    planner = night.planner()
    night.baseline(planner)
    assert {night.next(planner, 1.6)[0].kind for _ in range(5)} == {Kind.SAMPLE}


def test_two_samples_without_a_promotion_switch_to_edits(night: Night, replay: Callable[..., Path]) -> None:
    planner = night.planner(replay(GOOD, OTHER))
    night.baseline(planner)
    kinds = [night.next(planner, 1.6)[0].kind for _ in range(4)]
    assert kinds == [Kind.SAMPLE, Kind.SAMPLE, Kind.EDIT, Kind.EDIT]


def test_an_edit_that_is_kept_is_built_on(night: Night, replay: Callable[..., Path], first: Revision) -> None:
    planner = night.planner(replay(GOOD, OTHER), policy=ALWAYS_EDIT)
    night.baseline(planner)
    kept, _ = night.next(planner, 1.4)
    after, _ = night.next(planner, 1.45)
    assert (kept.status, after.status) == (Status.KEEP, Status.DISCARD)
    assert after.parent == kept.number
    assert night.ledger.lineage(after.revision) == (first.sha256, kept.revision, after.revision)
    assert GOOD["replace"] in night.ledger.revision(after.revision).source


def test_an_edit_that_is_dropped_leaves_no_trace_in_the_next(night: Night, replay: Callable[..., Path]) -> None:
    planner = night.planner(replay(GOOD, OTHER), policy=ALWAYS_EDIT)
    night.baseline(planner)
    night.next(planner, 1.6)
    after, _ = night.next(planner, 1.6)
    assert GOOD["replace"] not in night.ledger.revision(after.revision).source


@pytest.mark.parametrize(("record", "reason"), [(GONE, "block 1"), (BROKEN, "GPT")])
def test_an_edit_that_cannot_be_made_is_recorded_with_its_reason(
    night: Night, replay: Callable[..., Path], record: dict[str, str], reason: str
) -> None:
    planner = night.planner(replay(record), policy=ALWAYS_EDIT)
    night.baseline(planner)
    trial, _ = night.next(planner, 1.4)
    assert (trial.kind, trial.status, trial.title) == (Kind.EDIT, Status.CRASH, "edit 0")
    assert reason in trial.reason


def test_an_edit_that_gives_a_known_text_is_no_trial(night: Night, replay: Callable[..., Path]) -> None:
    nothing = {"search": GOOD["search"], "replace": GOOD["search"]}
    planner = night.planner(replay(nothing, OTHER), policy=ALWAYS_EDIT)
    night.baseline(planner)
    trial, _ = night.next(planner, 1.6)
    assert trial.title == "edit 1"
    assert any("the study has seen" in note for note in night.notes)


def test_the_same_text_from_two_editors_is_one_trial(
    night: Night, replay: Callable[..., Path], first: Revision
) -> None:
    planner = night.planner(replay(GOOD), policy=ALWAYS_EDIT)
    night.baseline(planner)
    planner.prefetch()
    incumbent, edit = (
        night.ledger.incumbent(),
        ReplayEditor(replay(GOOD)).propose(EditContext(first.source, first.sha256)),
    )
    assert incumbent is not None
    assert edit is not None
    planner.add_edit(replace(edit, key="other:1", title="the same"), incumbent)
    assert [proposal.title for _, proposal in night.ledger.waiting()] == ["edit 0"]


def test_a_revision_that_was_written_down_and_never_proposed_is_not_lost(
    night: Night, replay: Callable[..., Path], first: Revision
) -> None:
    planner = night.planner(replay(GOOD), policy=ALWAYS_EDIT)
    night.baseline(planner)
    edit = ReplayEditor(replay(GOOD)).propose(EditContext(first.source, first.sha256))
    night.ledger.add_revision(edited(edit, first, "replay", knobs_of))  # here a worker was killed
    trial, _ = night.next(planner, 1.4)
    assert (trial.kind, trial.status) == (Kind.EDIT, Status.KEEP)


def test_an_exhausted_editor_is_said_once_and_samples_go_on(night: Night, replay: Callable[..., Path]) -> None:
    planner = night.planner(replay(GOOD), policy=ALWAYS_EDIT)
    night.baseline(planner)
    kinds = [night.next(planner, 1.6)[0].kind for _ in range(3)]
    assert kinds == [Kind.EDIT, Kind.SAMPLE, Kind.SAMPLE]
    assert sum("no more edits" in note for note in night.notes) == 1


def test_the_threshold_is_the_noise_of_the_baseline(night: Night) -> None:
    planner = night.planner(min_delta=None)
    night.baseline(planner)
    trial, _ = night.claim(planner)
    # Two values that differ by 0.02: s = 0.02 / sqrt(2); a normal sample of two has E[s] = 0.7979 sigma.
    assert planner.threshold(trial) == pytest.approx(0.02 / 2**0.5 / 0.797885, rel=1e-4)


def test_a_prefetched_proposal_is_the_one_that_runs_next(night: Night) -> None:
    planner = night.planner()
    night.baseline(planner)
    running, _ = night.claim(planner)
    planner.prefetch()
    before = night.ledger.proposal_keys()
    night.score(planner, running, 1.6)
    _, proposal = night.claim(planner)
    assert proposal.key == before[-1]
    assert night.ledger.proposal_keys() == before


def test_a_prefetched_sample_is_dropped_when_the_trial_before_it_is_promoted(night: Night) -> None:
    planner = night.planner()
    night.baseline(planner)
    running, _ = night.claim(planner)
    planner.prefetch()
    overtaken = night.ledger.proposal_keys()[-1]
    night.score(planner, running, 1.2)
    _, proposal = night.claim(planner)
    assert proposal.key != overtaken
    assert proposal.parent == running.number


def test_a_prefetched_edit_is_moved_to_the_new_incumbent(night: Night, replay: Callable[..., Path]) -> None:
    planner = night.planner(replay(GOOD, OTHER), policy=ALWAYS_EDIT)
    night.baseline(planner)
    running, _ = night.claim(planner)
    planner.prefetch()
    night.score(planner, running, 1.2)
    trial, proposal = night.claim(planner)
    source = night.ledger.revision(trial.revision).source
    assert proposal.title == "edit 1"
    assert GOOD["replace"] in source
    assert OTHER["replace"] in source


def test_an_edit_that_lost_the_race_is_tried_again_on_the_winner(night: Night, replay: Callable[..., Path]) -> None:
    planner = night.planner(replay(GOOD, OTHER), policy=ALWAYS_EDIT)
    night.baseline(planner)
    slower, _ = night.claim(planner)
    faster, _ = night.claim(planner)
    night.score(planner, faster, 1.30)
    lost = night.score(planner, slower, 1.40)
    assert (lost.status, lost.lost_race) == (Status.DISCARD, True)
    again, proposal = night.claim(planner)
    source = night.ledger.revision(again.revision).source
    assert proposal.title == "edit 0 (rebased)"
    assert again.parent == faster.number
    assert GOOD["replace"] in source
    assert OTHER["replace"] in source


def test_an_edit_that_lost_the_race_to_a_sample_is_tried_again_with_its_values(
    night: Night, replay: Callable[..., Path]
) -> None:
    planner = night.planner(replay(GOOD), policy=Ratio(0.5))
    night.baseline(planner)
    one, two = night.claim(planner)[0], night.claim(planner)[0]
    sample, edit = (one, two) if one.kind is Kind.SAMPLE else (two, one)
    assert edit.kind is Kind.EDIT
    night.score(planner, sample, 1.30)
    assert night.score(planner, edit, 1.40).lost_race
    again, proposal = night.claim(planner)
    assert proposal.title == "edit 0 (rebased)"
    assert again.revision == edit.revision
    assert again.values == sample.values


def test_a_repeat_of_the_baseline_that_failed_is_run_again(night: Night) -> None:
    planner = night.planner(baseline_repeats=2)
    night.next(planner, 1.5)
    failed, _ = night.claim(planner)
    night.ledger.fail(failed.number, night.worker, Status.CRASH, "killed by SIGKILL")
    again, _ = night.claim(planner)
    assert (again.kind, again.seed) == (Kind.BASELINE, 9)


def test_a_killed_and_restarted_study_proposes_what_it_would_have_proposed(
    night: Night, night_url: str, tmp_path: Path, replay: Callable[..., Path]
) -> None:
    editor = replay(GOOD, OTHER)
    planner = night.planner(editor)
    night.baseline(planner)
    for val_bpb in (1.55, 1.45, 1.6):
        night.next(planner, val_bpb)
    _copy(night_url, tmp_path / "copy.db")
    went_on = [night.next(planner, 1.6)[1] for _ in range(3)]

    with Database.open(f"sqlite:///{tmp_path / 'copy.db'}", create=False) as database:
        restarted = Night(database)
        planner = restarted.planner(editor)
        again = [restarted.next(planner, 1.6)[1] for _ in range(3)]
    assert [(proposal.key, proposal.values) for proposal in again] == [
        (proposal.key, proposal.values) for proposal in went_on
    ]


def _copy(url: str, path: Path) -> None:
    with (
        closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(path)) as target,
    ):
        source.backup(target)
