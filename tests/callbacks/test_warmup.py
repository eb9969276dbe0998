"""Warm-up, seen through a budget: a run with it equals, bit for bit, the same run without."""

import lightning.pytorch as pl
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.plugins import MixedPrecision
from torch import nn

from autoresearch.callbacks import StepBudget, WallClockBudget

ONES = torch.ones(4, 2)
RANDOM = torch.randn(4, 2, generator=torch.Generator().manual_seed(7))


class Rich(pl.LightningModule):
    """Dropout, batch norm, tied weights, a scheduler, and a rate set in a hook from the fraction of the budget."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(8, 8)
        self.tied = nn.Linear(8, 8)
        self.tied.weight = self.inner.weight
        self.net = nn.Sequential(
            nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), self.inner, self.tied, nn.Linear(8, 1)
        )
        self.rates: list[float] = []
        self.ready = False

    def on_train_start(self) -> None:
        self.ready = True

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        assert self.ready, "warm-up came before the module's own on_train_start"
        loss = self.net(batch).square().mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1.0 - self.budget_fraction)
        self.rates.append(optimizer.param_groups[0]["lr"])

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2)]


def final_state(fit, warmup_batches, **options) -> tuple[dict[str, bytes], float, list[float]]:
    """Everything that training leaves behind: weights and buffers, the logged mean, the rates."""
    module = Rich()
    trainer = fit(module, StepBudget(5, warmup_batches), **options)
    state = {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}
    return state, trainer.callback_metrics["loss"].item(), module.rates


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_grad_batches": 3},
        {"precision": "bf16-mixed"},
        {"gradient_clip_val": 0.1},
    ],
    ids=str,
)
def test_training_is_bit_identical_with_and_without_warm_up(fit, options):
    assert final_state(fit, [RANDOM, ONES], **options) == final_state(fit, [], **options)


def test_a_loss_scale_that_warm_up_changed_comes_back(fit):
    def plugin() -> MixedPrecision:
        return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2))

    with_warm_up, without = plugin(), plugin()
    fit(Rich(), StepBudget(3, [RANDOM, RANDOM, RANDOM]), plugins=[with_warm_up])
    fit(Rich(), StepBudget(3), plugins=[without])
    assert with_warm_up.state_dict() == without.state_dict()


def test_the_hooks_of_the_module_run_in_warm_up(fit):
    seen = []

    class Hooked(Rich):
        def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure) -> None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            seen.append((self.trainer.global_step, self.budget_fraction))

    fit(Hooked(), StepBudget(2, [RANDOM, RANDOM]))
    assert seen == [(0, 0.0), (0, 0.0), (0, 0.0), (1, 0.5)]


def test_each_warm_up_batch_is_a_step_with_its_own_gradient_also_when_the_run_accumulates(tiny, fit):
    gradients = []

    class Frozen(tiny):
        def on_before_optimizer_step(self, optimizer) -> None:
            gradients.append(self.net.weight.grad.flatten().tolist())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    fit(Frozen(), StepBudget(1, [RANDOM, RANDOM]), batches=[RANDOM] * 3, accumulate_grad_batches=3)
    assert gradients[0] == gradients[1] == pytest.approx(gradients[2])


def test_what_is_logged_in_warm_up_does_not_show_in_the_metrics(fit):
    left = [True, True, False]

    class Talkative(Rich):
        def on_after_backward(self) -> None:
            if left.pop(0):
                self.log("only in warm-up", 1.0, on_step=True, on_epoch=True)

    trainer = fit(Talkative(), StepBudget(1, [RANDOM, RANDOM]))
    assert set(trainer.callback_metrics) == {"loss"}


def test_warm_up_batches_pass_through_the_transfer_hooks(fit):
    class Wrapped(Rich):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            return batch["x"]

    fit(Wrapped(), StepBudget(1, [{"x": RANDOM}]), batches=[{"x": ONES}])


def test_the_module_is_told_fraction_zero_in_warm_up_even_after_an_earlier_fit(fit):
    module = Rich()
    fit(module, StepBudget(2))
    module.rates.clear()
    fractions = []
    module.on_before_zero_grad = lambda optimizer: fractions.append(module.budget_fraction)
    fit(module, StepBudget(2, [RANDOM]))
    assert fractions == [0.0, 0.0, 0.5]


def test_warm_up_of_a_module_that_optimizes_by_hand_is_refused(fit):
    class ByHand(Rich):
        automatic_optimization = False

    with pytest.raises(MisconfigurationException, match=r"`ByHand.automatic_optimization` is False"):
        fit(ByHand(), StepBudget(1, [RANDOM]))


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
def test_a_fit_resumed_in_mid_epoch_warms_up_too(clock, tiny, fit, tmp_path):
    class SaveSecond(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            if batch_idx == 1:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    fit(tiny(clock), SaveSecond(), batches=[ONES] * 4, max_epochs=1)
    budget = WallClockBudget(5, [RANDOM] * 3, clock=clock)
    fit(tiny(clock), budget, batches=[ONES] * 4, ckpt_path=tmp_path / "half.ckpt")
    assert (budget.warmup_seconds, budget.elapsed) == (3.0, 5.0)


@pytest.mark.slow
def test_nothing_is_compiled_after_the_clock_has_started(fit):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    @torch.compile(backend=backend, fullgraph=True)
    def update(weight: torch.Tensor, momentum: torch.Tensor, grad: torch.Tensor, lr: torch.Tensor) -> None:
        momentum.lerp_(grad, 0.1)
        weight.sub_(lr * momentum)

    class Momentum(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self, closure):
            loss = closure()
            for group in self.param_groups:
                for weight in group["params"]:
                    state = self.state[weight]
                    if not state:
                        state["momentum"] = torch.zeros_like(weight)
                    update(weight, state["momentum"], weight.grad, torch.tensor(group["lr"]))
            return loss

    class Compiled(Rich):
        def __init__(self) -> None:
            super().__init__()
            self.net.compile(backend=backend)
            self.compiled_by_then: list[int] = []

        def on_train_batch_start(self, batch, batch_idx) -> None:
            self.compiled_by_then.append(len(compiled))

        def configure_optimizers(self):
            return Momentum(self.parameters(), {"lr": 0.1})

    module = Compiled()
    fit(module, StepBudget(4, [RANDOM, RANDOM]))
    assert module.compiled_by_then == [len(compiled)] * 4
    assert len(compiled) > 1  # the network, and the update for each shape
