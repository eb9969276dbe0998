import pytest
import torch

from autoresearch.callbacks import DivergenceGuard

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("factor", [1.0, 0.5, NAN])
def test_a_factor_that_is_not_over_one_is_refused_with_its_value(factor):
    with pytest.raises(ValueError, match=rf"factor={factor}\)"):
        DivergenceGuard(factor)


def test_a_patience_under_one_step_is_refused_with_its_value():
    with pytest.raises(ValueError, match=r"patience=0\)"):
        DivergenceGuard(patience=0)


@pytest.mark.parametrize(("loss", "name"), [(NAN, "nan"), (INF, "inf"), (-INF, "-inf")])
def test_a_loss_that_is_no_number_ends_the_run_at_once(tiny, fit, loss, name):
    guard = DivergenceGuard()
    trainer = fit(tiny(losses=[7.6, 7.5, loss, 7.4]), guard)
    assert (guard.reason, trainer.global_step) == (f"loss is {name} at step 3", 3)


def test_a_first_loss_that_is_no_number_ends_the_run(tiny, fit):
    guard = DivergenceGuard()
    fit(tiny(losses=[NAN, 1.0]), guard)
    assert guard.reason == "loss is nan at step 1"


def test_a_loss_over_factor_times_the_first_ends_the_run(tiny, fit):
    guard = DivergenceGuard(factor=2.0, patience=1)
    trainer = fit(tiny(losses=[7.6, 15.1, 16.1, 7.0]), guard)
    assert guard.reason == "loss 16.1 at step 3 is over 2.0 times the first loss (7.6)"
    assert trainer.global_step == 3


def test_a_loss_that_stays_high_ends_the_run_when_patience_is_over(tiny, fit):
    guard = DivergenceGuard(patience=3)
    trainer = fit(tiny(losses=[1.0, 3.0, 3.0, 3.5, 1.0]), guard)
    assert guard.reason == "loss 3.5 at step 4 is over 2.0 times the first loss (1)"
    assert trainer.global_step == 4


def test_spikes_that_recover_within_patience_are_forgiven(tiny, fit):
    guard = DivergenceGuard(patience=3)
    fit(tiny(losses=[1.0, 9.0, 9.0, 1.0, 9.0, 9.0, 1.0]), guard, max_steps=7)
    assert guard.reason is None


def test_a_first_loss_below_zero_sets_no_limit(tiny, fit):
    guard = DivergenceGuard(patience=1)
    fit(tiny(losses=[-1.0, -0.5, 5.0]), guard, max_steps=3)
    assert guard.reason is None


def test_the_reason_quotes_the_true_loss_of_an_accumulated_step(tiny, fit):
    guard = DivergenceGuard(patience=1)
    trainer = fit(tiny(losses=[6.0, 7.0, 8.0, 20.0, 21.0, 22.0]), guard, accumulate_grad_batches=3)
    assert guard.reason == "loss 21 at step 2 is over 2.0 times the first loss (7)"
    assert trainer.fit_loop.total_batch_idx + 1 == 6


def test_the_true_loss_of_a_short_accumulated_step_is_a_mean_too(tiny, fit):
    guard = DivergenceGuard(patience=1)
    module = tiny(losses=[7.0, 7.0, 7.0, 21.0])
    fit(module, guard, batches=[torch.ones(4, 2)] * 4, accumulate_grad_batches=3, max_epochs=1)
    assert guard.reason == "loss 21 at step 2 is over 2.0 times the first loss (7)"


def test_a_bad_micro_batch_ends_the_run_with_its_own_step(tiny, fit):
    guard = DivergenceGuard()
    trainer = fit(tiny(losses=[7.0] * 3 + [NAN] + [7.0] * 8), guard, accumulate_grad_batches=3)
    assert (guard.reason, trainer.global_step) == ("loss is nan at step 2", 2)


@pytest.mark.parametrize("minimum", [{"min_epochs": 5}, {"min_steps": 50}])
def test_a_minimum_of_the_trainer_does_not_prolong_a_lost_run(tiny, fit, minimum):
    trainer = fit(tiny(losses=[7.0, NAN, 7.0]), DivergenceGuard(), **minimum)
    assert trainer.global_step == 2


@pytest.mark.filterwarnings("ignore:.*training_step.*returned.*None")
def test_a_module_that_returns_no_loss_is_left_alone(tiny, fit):
    class Silent(tiny):
        def training_step(self, batch, batch_idx):
            return None

    guard = DivergenceGuard()
    fit(Silent(), guard, max_steps=2)
    assert guard.reason is None


@pytest.mark.filterwarnings("ignore:.*training_step.*returned.*None")
def test_after_a_step_without_a_loss_the_next_is_judged_at_its_end(tiny, fit):
    class Silent(tiny):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            return loss if batch_idx >= 2 else None

    guard = DivergenceGuard(patience=1)
    fit(Silent(losses=[0.0, 0.0, 5.0, 9.0, 14.0, 16.0]), guard, accumulate_grad_batches=2)
    assert guard.reason == "loss 15 at step 3 is over 2.0 times the first loss (7)"


def test_a_loss_in_a_dict_is_found(tiny, fit):
    class Wordy(tiny):
        def training_step(self, batch, batch_idx):
            return {"loss": super().training_step(batch, batch_idx), "more": 1}

    guard = DivergenceGuard()
    fit(Wordy(losses=[7.0, NAN]), guard)
    assert guard.reason == "loss is nan at step 2"


def test_a_module_that_optimizes_by_hand_is_watched_too(tiny, fit):
    class ByHand(tiny):
        automatic_optimization = False

        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            return loss

    guard = DivergenceGuard()
    fit(ByHand(losses=[7.0, NAN]), guard)
    assert guard.reason == "loss is nan at step 2"


def test_a_second_fit_begins_without_a_reason(tiny, fit):
    guard = DivergenceGuard()
    fit(tiny(losses=[NAN]), guard)
    fit(tiny(losses=[1.0]), guard, max_steps=1)
    assert guard.reason is None
