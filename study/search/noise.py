"""How much of a difference is noise: the spread between runs of the same thing, and the gain of one thing over another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95  # one-sided: only a gain can be claimed


@dataclass(frozen=True)
class Gain:
    """What the incumbent won over the baseline, in val_bpb; above zero is better."""

    mean: float
    standard_error: float | None  # None with a single pair
    real: bool  # above zero at 95 %


def pooled_sigma(groups: Iterable[Sequence[float]]) -> float | None:
    """The standard deviation between runs that differ in their seed alone, from groups of such runs.

    The pooled variance (squared deviations from each group's own mean, summed, over the summed degrees of freedom) is
    unbiased, its root is too small: by the factor c4 of control charts, sqrt(2 / v) Γ((v + 1) / 2) / Γ(v / 2) for v degrees
    of freedom (Holtzman, 1950, "The unbiased estimate of the population variance and standard deviation"). Three runs,
    v = 2, give 0.886: without the correction a gate of one σ would be an eighth too low.

    Returns:
        None where no group has two runs: then there is nothing to measure a spread by.
    """
    squares, freedom = 0.0, 0
    for group in groups:
        mean = math.fsum(group) / max(len(group), 1)
        squares += math.fsum((value - mean) ** 2 for value in group)
        freedom += max(len(group) - 1, 0)
    if freedom == 0:
        return None
    return math.sqrt(squares / freedom) / _c4(freedom)


def _c4(freedom: int) -> float:
    return math.sqrt(2 / freedom) * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))


def paired_gain(baseline: Sequence[float], incumbent: Sequence[float]) -> Gain:
    """The mean of the pairwise differences baseline − incumbent, its standard error, and whether it is above zero.

    The pairs share their seed, so what a seed does to both cancels. The verdict is Student's paired one-sided t-test
    at 95 %. It asks too little of the best of many candidates measured once: give it fresh seeds.

    Args:
        baseline: val_bpb of the baseline, one for each seed.
        incumbent: val_bpb of the incumbent on the same seeds in the same order.
    """
    if len(baseline) == 0 or len(baseline) != len(incumbent):
        raise ValueError(f"{len(baseline)} baseline and {len(incumbent)} incumbent runs: expected pairs, at least one")
    gains = [before - after for before, after in zip(baseline, incumbent, strict=True)]
    count, mean = len(gains), math.fsum(gains) / len(gains)
    if count == 1:
        return Gain(mean, None, real=False)
    variance = math.fsum((gain - mean) ** 2 for gain in gains) / (count - 1)
    error = math.sqrt(variance / count)

    from scipy.stats import t as student  # half a second to import, needed once a night

    return Gain(mean, error, real=bool(mean > student.ppf(CONFIDENCE, count - 1) * error))
