import lightning.pytorch as pl
import pytest
import torch

from autoresearch.callbacks import DivergenceGuard, Throughput, WallClockBudget

BATCH = torch.ones(4, 2)


class Slow(pl.Callback):
    """Takes 50 seconds before the first batch, and notes what it hears."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.heard: list[str] = []

    def on_train_start(self, trainer, pl_module) -> None:
        self.clock.advance(50.0)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        self.heard.append("step")

    def on_after_backward(self, trainer, pl_module) -> None:
        self.heard.append("backward")


@pytest.fixture
def validated(tiny):
    """The tiny module with a validation of 100 seconds."""

    class Validated(tiny):
        def validation_step(self, batch, batch_idx) -> None:
            self.clock.advance(100.0)

    return Validated


@pytest.mark.parametrize("seconds", [0, -1.5, float("nan")])
def test_a_budget_that_is_not_over_zero_is_refused_with_its_value(seconds):
    with pytest.raises(ValueError, match=rf"seconds={seconds}\)"):
        WallClockBudget(seconds)


def test_training_stops_at_the_first_step_that_reaches_the_budget(clock, tiny, fit):
    budget = WallClockBudget(10, clock=clock)
    trainer = fit(tiny(clock, 2.5), budget)
    assert (trainer.global_step, budget.steps, budget.elapsed) == (4, 4, 10.0)


def test_the_budget_is_overrun_by_less_than_the_last_step(clock, tiny, fit):
    budget = WallClockBudget(10, clock=clock)
    fit(tiny(clock, [4.0, 5.0, 3.0, 100.0]), budget)
    assert budget.elapsed == 12.0


def test_time_before_the_first_batch_is_not_counted(clock, tiny, fit):
    budget = WallClockBudget(3, clock=clock)
    fit(tiny(clock), budget, Slow(clock))
    assert (budget.steps, budget.elapsed) == (3, 3.0)


def test_the_module_sees_the_fraction_used_before_each_step(clock, tiny, fit):
    module = tiny(clock, [1.0, 2.0, 4.0, 9.0])
    fit(module, WallClockBudget(10, clock=clock))
    assert module.fractions == [0.0, 0.1, 0.3, 0.7]


def test_all_micro_batches_of_a_step_see_one_fraction(clock, tiny, fit):
    module = tiny(clock)
    fit(module, WallClockBudget(8, clock=clock), accumulate_grad_batches=3)
    assert module.fractions == [0.0] * 3 + [0.375] * 3 + [0.75] * 3


def test_a_step_that_is_being_accumulated_is_completed(clock, tiny, fit):
    budget = WallClockBudget(4, clock=clock)
    trainer = fit(tiny(clock), budget, accumulate_grad_batches=3)
    assert (trainer.global_step, trainer.fit_loop.total_batch_idx + 1, budget.elapsed) == (2, 6, 6.0)


def test_a_budget_lasts_over_many_epochs(clock, tiny, fit):
    module = tiny(clock)
    trainer = fit(module, WallClockBudget(10, clock=clock), batches=[BATCH] * 4)
    assert (trainer.global_step, trainer.current_epoch, len(module.fractions)) == (10, 3, 10)


def test_the_short_last_step_of_an_epoch_is_a_step(clock, tiny, fit):
    module = tiny(clock)
    fit(module, WallClockBudget(8, clock=clock), batches=[BATCH] * 4, accumulate_grad_batches=3)
    assert module.fractions == [0.0] * 3 + [0.375] + [0.5] * 3 + [0.875]


@pytest.mark.parametrize("minimum", [{"min_epochs": 5}, {"min_steps": 50}])
def test_a_minimum_of_the_trainer_does_not_prolong_a_budget(clock, tiny, fit, minimum):
    trainer = fit(tiny(clock), WallClockBudget(3, clock=clock), batches=[BATCH] * 2, **minimum)
    assert trainer.global_step == 3


def test_a_run_that_ends_by_itself_leaves_the_rest_of_the_budget(clock, tiny, fit):
    budget = WallClockBudget(10, clock=clock)
    fit(tiny(clock), budget, max_steps=4)
    assert (budget.fraction, budget.elapsed, budget.remaining) == (0.4, 4.0, 6.0)


def test_a_spent_budget_has_fraction_one_and_nothing_remaining(clock, tiny, fit):
    budget = WallClockBudget(10, clock=clock)
    fit(tiny(clock, 7.0), budget)
    assert (budget.fraction, budget.remaining) == (1.0, 0.0)


def test_validation_during_the_run_is_counted_when_it_ends(clock, validated, fit):
    module = validated(clock)
    budget = WallClockBudget(50, clock=clock)
    fit(module, budget, batches=[BATCH] * 4, val=[BATCH], num_sanity_val_steps=0, val_check_interval=2)
    assert (budget.steps, budget.elapsed) == (2, 102.0)


def test_validation_in_the_middle_of_an_accumulated_step_waits_for_its_end(clock, validated, fit):
    module = validated(clock)
    budget = WallClockBudget(50, clock=clock)
    fit(
        module,
        budget,
        batches=[BATCH] * 6,
        val=[BATCH],
        num_sanity_val_steps=0,
        val_check_interval=2,
        accumulate_grad_batches=3,
    )
    assert (module.fractions, budget.steps, budget.elapsed) == ([0.0] * 3, 1, 103.0)


def test_validation_before_the_run_or_at_its_end_is_not_counted(clock, validated, fit):
    budget = WallClockBudget(4, clock=clock)
    fit(validated(clock), budget, batches=[BATCH] * 4, val=[BATCH])
    assert (budget.steps, budget.elapsed) == (4, 4.0)


def test_validation_after_a_run_that_ended_by_itself_is_not_counted(clock, validated, fit):
    module = validated(clock)
    budget = WallClockBudget(4000, clock=clock)
    trainer = fit(module, budget, batches=[BATCH] * 4, val=[BATCH], max_steps=3)
    before = budget.elapsed
    trainer.validate(module, trainer.val_dataloaders, verbose=False)
    assert budget.elapsed == before


def test_a_second_fit_has_the_whole_budget_again(clock, tiny, fit):
    budget = WallClockBudget(3, clock=clock)
    fit(tiny(clock), budget)
    fit(tiny(clock), budget)
    assert (budget.steps, budget.elapsed) == (3, 3.0)


def test_the_order_of_the_callbacks_does_not_matter(clock, tiny, fit):
    results = []
    for order in (1, -1):
        budget = WallClockBudget(3, [BATCH], clock=clock)
        meter = Throughput(clock=clock)
        fit(tiny(clock), *[budget, meter, DivergenceGuard(), Slow(clock)][::order])
        results.append((budget.steps, budget.elapsed, meter.tokens, meter.tokens_per_second))
    assert results == [(3, 3.0, 24, 8.0)] * 2


def test_a_step_in_which_another_callback_ends_the_run_is_counted_in_any_order(clock, tiny, fit):
    results = []
    for order in (1, -1):
        budget = WallClockBudget(10, clock=clock)
        fit(tiny(clock, losses=[1.0, float("nan")]), *[budget, DivergenceGuard()][::order])
        results.append((budget.steps, budget.elapsed))
    assert results == [(2, 2.0)] * 2


def test_warm_up_is_timed_apart_and_counts_no_step(clock, tiny, fit):
    module = tiny(clock)
    budget = WallClockBudget(3, [BATCH, BATCH], clock=clock)
    trainer = fit(module, budget, accumulate_grad_batches=3)
    assert (budget.warmup_seconds, budget.elapsed, trainer.global_step) == (2.0, 3.0, 1)


def test_warm_up_leaves_the_first_fraction_zero_and_no_other_trace_in_the_module(clock, tiny, fit):
    module = tiny(clock)
    fit(module, WallClockBudget(2, [BATCH, BATCH], clock=clock))
    assert module.fractions == [0.0, 0.5]


def test_other_callbacks_do_not_hear_of_warm_up(clock, tiny, fit):
    other = Slow(clock)
    fit(tiny(clock), WallClockBudget(2, [BATCH] * 5, clock=clock), other)
    assert other.heard == ["backward", "step"] * 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_is_synchronized_before_the_clock_is_read(tiny, fit):
    idle_at_reading = []

    def clock() -> float:
        idle_at_reading.append(torch.cuda.current_stream().query())
        return float(len(idle_at_reading))

    fit(tiny(), WallClockBudget(3, [BATCH], clock=clock), accelerator="gpu", devices=1)
    assert all(idle_at_reading)
