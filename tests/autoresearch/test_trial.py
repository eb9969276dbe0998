"""One trial on tiny text: what it returns, and how it fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.errors import DataError, KnobError, TrialError
from autoresearch.presets import PRESETS, retarget
from autoresearch.progress import Progress
from autoresearch.revision import load, package_source
from autoresearch.trial import TrialResult, TrialSettings, run_trial

TINY = {"depth": 2, "aspect_ratio": 32, "head_dim": 32, "device_batch_size": 4, "total_batch_size": 512}

Edit = Callable[[str], str]


@pytest.fixture
def settings(tmp_path: Path, tiny_dataset: Dataset) -> Callable[..., TrialSettings]:
    def make(edit: Edit = str, knobs: dict[str, Any] | None = None, **changes: Any) -> TrialSettings:
        path = tmp_path / "train.py"
        path.write_text(edit(retarget(package_source(), PRESETS["cpu"])), encoding="utf-8")
        defaults = {name: knob.default for name, knob in load(path).knobs.items()}
        given = TrialSettings(
            source=path,
            values=defaults | TINY | (knobs or {}),
            dataset=tiny_dataset,
            device=dataclasses.replace(detect("cpu"), precision="32-true"),
            seconds=60.0,
            steps=4,
            seed=0,
            eval_tokens=1024,
            compiled=False,
        )
        return dataclasses.replace(given, **changes)

    return make


def replacing(old: str, new: str) -> Edit:
    def edit(source: str) -> str:
        assert source.count(old) == 1
        return source.replace(old, new)

    return edit


def test_training_beats_an_untrained_model(settings: Callable[..., TrialSettings]) -> None:
    first, trained = run_trial(settings(steps=1)), run_trial(settings(steps=60))
    assert trained.val_bpb < 0.5 * first.val_bpb


def test_the_result_counts_what_was_done(settings: Callable[..., TrialSettings], tiny_dataset: Dataset) -> None:
    result = run_trial(settings(steps=4))
    assert (result.steps, result.tokens, result.eval_tokens <= 1024) == (4, 4 * 512, True)
    assert result.epochs == pytest.approx(4 * 512 / (tiny_dataset.train_rows()[0].shape[0] * 32))
    assert 0 < result.training_seconds < result.total_seconds
    assert result.mfu_percent is not None
    assert result.mfu_percent > 0


def test_the_same_seed_gives_the_same_score(settings: Callable[..., TrialSettings]) -> None:
    assert run_trial(settings()).val_bpb == run_trial(settings()).val_bpb


def test_another_seed_gives_another_score_close_by(settings: Callable[..., TrialSettings]) -> None:
    scores = [run_trial(settings(steps=30, seed=seed)).val_bpb for seed in (0, 1)]
    assert scores[0] != scores[1]
    assert scores[0] == pytest.approx(scores[1], rel=0.1)


def test_accumulated_batches_train_like_one_large_batch(settings: Callable[..., TrialSettings]) -> None:
    small = run_trial(settings(knobs={"device_batch_size": 4}))
    large = run_trial(settings(knobs={"device_batch_size": 16}))
    assert (small.steps, small.tokens) == (large.steps, large.tokens)
    # Not closer: the first updates divide gradients by their own size, rounding errors included.
    assert small.val_bpb == pytest.approx(large.val_bpb, rel=5e-3)


def test_knobs_change_the_score(settings: Callable[..., TrialSettings]) -> None:
    assert run_trial(settings(knobs={"matrix_lr": 0.1})).val_bpb != run_trial(settings()).val_bpb


def test_a_budget_of_seconds_is_kept(settings: Callable[..., TrialSettings]) -> None:
    result = run_trial(settings(steps=None, seconds=0.5))
    assert result.training_seconds >= 0.5
    assert result.training_seconds - 0.5 < 2 * result.training_seconds / result.steps + 0.25


def test_a_shorter_context_cuts_the_rows(settings: Callable[..., TrialSettings]) -> None:
    assert run_trial(settings(context=16)).tokens == 4 * 512


def test_progress_reaches_the_end_of_the_budget(settings: Callable[..., TrialSettings]) -> None:
    seen: list[Progress] = []
    run_trial(settings(steps=200), seen.append)
    assert [progress.fraction for progress in seen] == sorted({progress.fraction for progress in seen})
    assert seen[0].step == 1
    assert seen[0].loss == pytest.approx(5.7, abs=0.1)  # ln 300
    assert seen[-1].loss < seen[0].loss
    assert (seen[-1].fraction, seen[-1].step, seen[-1].seconds_left) == (1.0, 200, 0.0)


def test_warm_up_trains_nothing(settings: Callable[..., TrialSettings]) -> None:
    assert run_trial(settings(warmup_steps=0)).val_bpb == run_trial(settings(warmup_steps=2)).val_bpb


@pytest.mark.slow
def test_compiled_training_agrees_with_eager_training(settings: Callable[..., TrialSettings]) -> None:
    device = detect("cpu")
    if device.compile_obstacle:
        pytest.skip(device.compile_obstacle)
    eager = run_trial(settings(steps=3))
    torch.compiler.reset()
    compiled = run_trial(settings(steps=3, compiled=True))
    assert compiled.val_bpb == pytest.approx(eager.val_bpb, rel=5e-3)


def test_batch_sizes_that_do_not_divide_are_refused(settings: Callable[..., TrialSettings]) -> None:
    message = r"total_batch_size 512 is no multiple of device_batch_size x context = 32 x 32 = 1024"
    with pytest.raises(KnobError, match=message):
        run_trial(settings(knobs={"device_batch_size": 32}))


def test_a_context_longer_than_the_packed_rows_is_refused(settings: Callable[..., TrialSettings]) -> None:
    with pytest.raises(DataError, match=r"context 64 .* 32 .* autoresearch prepare"):
        run_trial(settings(context=64))


def test_a_value_out_of_range_is_refused(settings: Callable[..., TrialSettings]) -> None:
    with pytest.raises(KnobError, match="knob 'matrix_lr' is 7, expected"):
        run_trial(settings(knobs={"matrix_lr": 7}))


def test_a_value_for_no_knob_is_refused(settings: Callable[..., TrialSettings]) -> None:
    with pytest.raises(KnobError, match=r"the values and the knobs of train\.py differ in speed"):
        run_trial(settings(knobs={"speed": 7}))


def test_a_diverging_run_ends_at_once_with_its_reason(settings: Callable[..., TrialSettings]) -> None:
    poison = replacing(
        "    tokens, targets = batch  # (B, T) int64 each\n", "    return self.head.weight.sum() * math.nan\n"
    )
    with pytest.raises(TrialError, match="the run diverged: loss is nan at step 1"):
        run_trial(settings(edit=poison))


def test_a_crash_names_the_line(settings: Callable[..., TrialSettings]) -> None:
    crash = replacing(
        "    tokens, targets = batch  # (B, T) int64 each\n", "    raise ZeroDivisionError('no reason')\n"
    )
    with pytest.raises(TrialError, match=r"train\.py failed: ZeroDivisionError: no reason \(line \d+\)") as caught:
        run_trial(settings(edit=crash))
    lines = settings(edit=crash).source.read_text().splitlines()
    number = int(str(caught.value).rpartition("line ")[2].rstrip(")"))
    assert "no reason" in lines[number - 1]


def test_a_revision_that_exits_is_a_crash_and_no_ctrl_c(settings: Callable[..., TrialSettings]) -> None:
    leave = replacing("    tokens, targets = batch  # (B, T) int64 each\n", "    raise SystemExit(0)\n")
    with pytest.raises(TrialError, match=r"train\.py failed: SystemExit: 0 \(line \d+\)"):
        run_trial(settings(edit=leave))


def test_the_parts_of_the_time_add_up(settings: Callable[..., TrialSettings]) -> None:
    result = run_trial(settings())
    parts = result.startup_seconds + result.warmup_seconds + result.training_seconds + result.eval_seconds
    assert parts == pytest.approx(result.total_seconds)
    assert result.startup_seconds > 0


def test_running_out_of_memory_says_what_helps(settings: Callable[..., TrialSettings]) -> None:
    hog = replacing("    tokens, targets = batch  # (B, T) int64 each\n", "    raise MemoryError('8 EiB')\n")
    with pytest.raises(TrialError, match="out of memory: 8 EiB; a smaller device_batch_size needs less memory"):
        run_trial(settings(edit=hog))


def test_logits_of_the_wrong_shape_are_found_before_anything_is_compiled(
    settings: Callable[..., TrialSettings],
) -> None:
    crop = replacing("return self.SOFTCAP * torch.tanh(logits / self.SOFTCAP)", "return logits[:, :, :-1]")
    with pytest.raises(TrialError, match=r"logits have shape \(1, 32, 299\), expected \(1, 32, 300\)"):
        run_trial(settings(edit=crop, compiled=True))


def test_logits_of_the_wrong_shape_have_no_score(settings: Callable[..., TrialSettings]) -> None:
    crop = replacing(
        "return self.SOFTCAP * torch.tanh(logits / self.SOFTCAP)",
        "return logits if self.training or len(tokens) == 1 else logits[:, :-1]",
    )
    with pytest.raises(TrialError, match="logits have shape"):
        run_trial(settings(edit=crop))


def test_a_revision_without_a_flop_count_has_no_mfu(settings: Callable[..., TrialSettings]) -> None:
    result: TrialResult = run_trial(settings(edit=replacing("def flops_per_token", "def _flops_per_token")))
    assert result.mfu_percent is None
