"""The model and the schedules of `train.py`, on a tiny size."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

import autoresearch.train
from autoresearch.train import GPT, Hyperparameters, lr_multiplier, muon_momentum

TINY: dict[str, Any] = {"depth": 4, "aspect_ratio": 8, "head_dim": 8, "device_batch_size": 2, "total_batch_size": 32}


def gpt(vocab_size: int = 61, context: int = 16, **knobs: Any) -> GPT:
    torch.manual_seed(0)
    return GPT(Hyperparameters(**(TINY | knobs)), vocab_size=vocab_size, context=context)


def trained(model: GPT) -> GPT:
    """Give every matrix weight something other than its initial zeros, so that each part of the model matters."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def tokens(rows: int = 2, length: int = 16, vocab_size: int = 61) -> torch.Tensor:
    return torch.randint(vocab_size, (rows, length), generator=torch.Generator().manual_seed(2))


def test_logits_have_the_shape_of_the_contract() -> None:
    logits = gpt()(tokens())
    assert logits.shape == (2, 16, 61)
    assert logits.dtype == torch.float32


def test_logits_are_soft_capped() -> None:
    model = trained(gpt())
    with torch.no_grad():
        model.head.weight.mul_(100)
    assert model(tokens()).abs().max() <= GPT.SOFTCAP


@pytest.mark.parametrize("query_group", [1, 2, 4])
@pytest.mark.parametrize("window_pattern", ["SSSL", "LLLL"])
def test_no_token_sees_a_later_one(query_group: int, window_pattern: str) -> None:
    model = trained(gpt(query_group=query_group, window_pattern=window_pattern))
    before, changed = tokens(), tokens()
    changed[:, 9] = (changed[:, 9] + 1) % 61
    difference = (model(before) - model(changed)).abs().amax(dim=(0, 2))
    assert difference[:9].max() == 0
    assert difference[9:].min() > 0


def test_rows_of_a_batch_do_not_influence_each_other() -> None:
    model, rows = trained(gpt()), tokens()
    torch.testing.assert_close(model(rows)[:1], model(rows[:1]))


def test_the_last_layer_sees_everything() -> None:
    assert gpt(window_pattern="SSSS", short_window=0.25).windows() == [4, 4, 4, 16]


def test_short_windows_follow_the_pattern() -> None:
    assert gpt(depth=6, window_pattern="SSLL").windows() == [8, 8, 16, 16, 8, 16]


def test_value_embeddings_stand_on_alternating_layers_and_the_last() -> None:
    gated = [block.attention.table is not None for block in gpt(depth=5).blocks]  # type: ignore[union-attr]
    assert gated == [True, False, True, False, True]


def test_an_untrained_model_predicts_nearly_uniformly() -> None:
    loss = torch.nn.functional.cross_entropy(gpt()(tokens()).flatten(0, 1), tokens().flatten())
    assert loss.item() == pytest.approx(torch.tensor(61.0).log().item(), abs=0.02)


def test_width_is_rounded_up_to_whole_heads() -> None:
    assert gpt(depth=3, aspect_ratio=9).width == 32


def test_key_value_heads_divide_the_heads() -> None:
    model = gpt(depth=3, query_group=2)  # 3 heads cannot share in twos: one key/value head for all
    assert model.blocks[0].attention.key.weight.shape == (8, 24)  # type: ignore[union-attr]


def test_every_knob_of_the_schedule_reaches_the_optimizer() -> None:
    model = gpt(weight_decay=0.4, warmdown_ratio=0.5, final_lr_frac=0.1)
    optimizer = model.configure_optimizers()
    model.budget_fraction = 0.75
    model.on_before_optimizer_step(optimizer)
    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(group["initial_lr"] * 0.55)
        if group["kind"] == "muon":
            assert group["weight_decay"] == pytest.approx(0.1)
            assert group["momentum"] == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.6, 1.0), (0.8, 0.55), (1.0, 0.1)]
)
def test_the_learning_rate_warms_up_stays_and_warms_down(fraction: float, expected: float) -> None:
    hp = Hyperparameters(warmup_ratio=0.2, warmdown_ratio=0.4, final_lr_frac=0.1)
    assert lr_multiplier(fraction, hp) == pytest.approx(expected)


def test_without_warmup_the_first_step_has_the_full_rate() -> None:
    assert lr_multiplier(0.0, Hyperparameters(warmup_ratio=0.0)) == 1.0


def test_muon_momentum_warms_up_over_its_steps() -> None:
    hp = Hyperparameters(momentum_warmup_steps=200)
    assert [muon_momentum(step, hp) for step in (0, 100, 200, 900)] == pytest.approx([0.85, 0.90, 0.95, 0.95])


def test_flops_count_matrices_and_visible_positions() -> None:
    model = gpt(depth=2, aspect_ratio=8, window_pattern="SS")  # width 16, windows 8 and 16
    matrices = 2 * (4 * 16 * 16 + 8 * 16 * 16) + 61 * 16 + 16 * 2  # attention, MLP, head, one gate of 16 x 2 heads
    assert model.flops_per_token() == 6 * matrices + 12 * 16 * (8 + 16)


def test_the_full_preset_costs_what_the_reference_says() -> None:
    with torch.device("meta"):
        model = GPT(Hyperparameters(), vocab_size=8192, context=2048)
    assert model.flops_per_token() / 1e6 == pytest.approx(239.1, abs=0.1)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(50.3, abs=0.05)


def test_knobs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Hyperparameters().depth = 9  # type: ignore[misc]


def test_the_file_fits_its_promise_of_600_lines() -> None:
    assert len(Path(autoresearch.train.__file__).read_text(encoding="utf-8").splitlines()) < 600
