import pytest
import torch

from autoresearch.callbacks import StepBudget


@pytest.mark.parametrize("steps", [0, -3])
def test_a_budget_under_one_step_is_refused_with_its_value(steps):
    with pytest.raises(ValueError, match=rf"steps={steps}\)"):
        StepBudget(steps)


def test_training_stops_after_exactly_the_budgeted_steps(tiny, fit):
    budget = StepBudget(5)
    trainer = fit(tiny(), budget)
    assert (trainer.global_step, budget.steps, budget.fraction) == (5, 5, 1.0)


def test_the_module_sees_the_steps_done_over_the_steps_budgeted(tiny, fit):
    module = tiny()
    fit(module, StepBudget(4))
    assert module.fractions == [0.0, 0.25, 0.5, 0.75]


def test_a_step_is_an_optimizer_step_not_a_batch(tiny, fit):
    module = tiny()
    fit(module, StepBudget(2), accumulate_grad_batches=3)
    assert module.fractions == [0.0] * 3 + [0.5] * 3


def test_warm_up_steps_are_not_counted(clock, tiny, fit):
    budget = StepBudget(2, [torch.ones(4, 2)] * 3, clock=clock)
    trainer = fit(tiny(clock), budget)
    assert (trainer.global_step, budget.steps, budget.elapsed, budget.warmup_seconds) == (2, 2, 2.0, 3.0)


def test_the_time_remaining_is_not_known(tiny, fit):
    budget = StepBudget(1)
    fit(tiny(), budget)
    assert budget.remaining is None
