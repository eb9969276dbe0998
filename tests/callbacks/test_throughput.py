import pytest
import torch

from autoresearch.callbacks import Throughput
from autoresearch.callbacks.throughput import WINDOW


def test_tokens_are_the_elements_of_the_first_tensor_by_default(tiny, fit):
    meter = Throughput()
    fit(tiny(), meter, max_steps=3)
    assert meter.tokens == 3 * 4 * 2


def test_the_first_tensor_is_found_in_a_nested_batch(tiny, fit):
    class Nested(tiny):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch["name"][1][0], batch_idx)

    meter = Throughput()
    fit(Nested(), meter, batches=[{"name": ("text", [torch.ones(4, 2), torch.ones(9)])}], max_epochs=1)
    assert meter.tokens == 8


def test_a_batch_without_tensors_is_refused_with_its_type_and_the_way_out(tiny, fit):
    class Wordy(tiny):
        def training_step(self, batch, batch_idx):
            return super().training_step(torch.ones(4, 2), batch_idx)

    with pytest.raises(TypeError, match=r"'str'.*tokens_per_batch"):
        fit(Wordy(), Throughput(), batches=["no tensor"], max_epochs=1)


def test_tokens_can_be_counted_by_a_function_of_the_batch(tiny, fit):
    meter = Throughput(tokens_per_batch=len)
    fit(tiny(), meter, max_steps=3)
    assert meter.tokens == 3 * 4


def test_the_rate_is_tokens_over_the_seconds_since_the_first_batch(clock, tiny, fit):
    meter = Throughput(clock=clock)
    fit(tiny(clock, [1.0, 2.0, 5.0]), meter, max_steps=3)
    assert meter.tokens_per_second == 24 / 8


def test_the_recent_rate_is_that_of_the_last_window(clock, tiny, fit):
    meter = Throughput(clock=clock)
    fit(tiny(clock, [100.0] * 5 + [42.0] + [2.0] * (WINDOW - 1)), meter, max_steps=5 + WINDOW)
    assert meter.recent_tokens_per_second == 8 * WINDOW / (40 + 2 * WINDOW)


def test_the_recent_rate_of_a_run_younger_than_the_window_is_its_whole_rate(clock, tiny, fit):
    meter = Throughput(clock=clock)
    fit(tiny(clock, [1.0, 3.0]), meter, max_steps=2)
    assert meter.recent_tokens_per_second == meter.tokens_per_second == 4.0


def test_an_accumulated_step_counts_all_its_tokens(clock, tiny, fit):
    meter = Throughput(clock=clock)
    fit(tiny(clock, 2.0), meter, max_steps=2, accumulate_grad_batches=3)
    assert (meter.tokens, meter.tokens_per_second) == (48, 4.0)


def test_rates_are_zero_before_the_first_step():
    meter = Throughput()
    assert (meter.tokens_per_second, meter.recent_tokens_per_second) == (0.0, 0.0)


def test_a_clock_that_stands_still_gives_a_rate_of_zero(clock, tiny, fit):
    meter = Throughput(clock=clock)
    fit(tiny(clock, 0.0), meter, max_steps=2)
    assert meter.tokens_per_second == 0.0


def test_mfu_is_the_percentage_of_peak_arithmetic_in_use(clock, tiny, fit):
    meter = Throughput(flops_per_token=30.0, peak_flops=480.0, clock=clock)
    fit(tiny(clock, 2.0), meter, max_steps=3)
    assert meter.mfu_percent == 25.0


@pytest.mark.parametrize("known", [{}, {"flops_per_token": 1.0}, {"peak_flops": 1.0}])
def test_mfu_is_none_where_a_number_is_missing(known):
    assert Throughput(**known).mfu_percent is None


def test_peak_memory_on_the_cpu_is_that_of_the_process_in_bytes(tiny, fit):
    meter = Throughput()
    fit(tiny(), meter, max_steps=1)
    assert 50 * 2**20 < meter.peak_memory_bytes < 2**40  # torch alone takes more than 50 MiB


def test_a_second_fit_counts_from_zero(clock, tiny, fit):
    meter = Throughput(clock=clock)
    fit(tiny(clock), meter, max_steps=5)
    fit(tiny(clock), meter, max_steps=2)
    assert (meter.tokens, meter.tokens_per_second) == (16, 8.0)
