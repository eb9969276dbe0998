import math

import numpy as np
import pytest
from scipy import stats

from autoresearch.study.search.noise import paired_gain, pooled_sigma


def test_one_group_gives_its_standard_deviation_over_c4():
    values = [0.9979, 0.9986, 0.9972]

    assert pooled_sigma([values]) == pytest.approx(np.std(values, ddof=1) / 0.886226925)  # c4 of three, from the tables


def test_groups_are_pooled_by_their_degrees_of_freedom():
    groups = [[1.0, 1.2, 0.9], [5.0, 5.3], [9.0]]

    squares = sum(((np.array(group) - np.mean(group)) ** 2).sum() for group in groups)
    c4 = math.sqrt(2 / 3) * math.gamma(2.0) / math.gamma(1.5)
    assert pooled_sigma(groups) == pytest.approx(math.sqrt(squares / 3) / c4)


@pytest.mark.parametrize("sizes", [(2,), (3,), (3, 2, 2)])
def test_sigma_is_right_on_average_for_few_runs(sizes):
    random = np.random.default_rng(0)

    sigmas = [pooled_sigma([random.normal(1.0, 0.0007, size) for size in sizes]) for _ in range(4000)]

    assert np.mean(sigmas) == pytest.approx(0.0007, rel=0.03)


def test_many_degrees_of_freedom_do_not_overflow():
    assert pooled_sigma([[0.0, 1.0] * 2000]) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("groups", [[], [[]], [[1.0]], [[1.0], [2.0], []]])
def test_there_is_no_sigma_without_a_repeat(groups):
    assert pooled_sigma(groups) is None


def test_equal_runs_have_no_spread():
    assert pooled_sigma([[1.0, 1.0]]) == 0.0


def test_gain_is_paired_and_one_sided():
    baseline, incumbent = [0.9980, 0.9992, 0.9971], [0.9967, 0.9975, 0.9961]

    gain = paired_gain(baseline, incumbent)

    reference = stats.ttest_rel(baseline, incumbent, alternative="greater")
    assert gain.mean == pytest.approx(np.mean(baseline) - np.mean(incumbent))
    assert gain.standard_error == pytest.approx(gain.mean / reference.statistic)
    assert gain.real == (reference.pvalue < 0.05)
    assert gain.real


def test_what_a_seed_does_to_both_does_not_hide_a_gain():
    assert paired_gain([1.0, 2.0, 3.0], [0.99, 1.98, 2.99]).real


@pytest.mark.parametrize(
    ("baseline", "incumbent"),
    [([1.0, 1.1, 0.9], [1.0, 1.05, 0.96]), ([1.0, 1.0, 1.0], [1.2, 1.3, 1.25]), ([1.0, 1.0], [1.0, 1.0])],
)
def test_noise_and_losses_are_not_real_gains(baseline, incumbent):
    assert not paired_gain(baseline, incumbent).real


def test_one_pair_proves_nothing():
    gain = paired_gain([1.0], [0.5])

    assert (gain.mean, gain.standard_error, gain.real) == (0.5, None, False)


@pytest.mark.parametrize(("baseline", "incumbent"), [([], []), ([1.0], [1.0, 2.0])])
def test_runs_without_a_partner_are_refused(baseline, incumbent):
    with pytest.raises(ValueError, match="expected pairs"):
        paired_gain(baseline, incumbent)
