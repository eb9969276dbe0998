"""A knob as a sampler sees it: numbers on a scale where they have one, and the part of it that is near the incumbent."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from functools import cached_property

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autoresearch.errors import KnobError, RevisionError
from autoresearch.knobs import Knob, KnobValue, describe

_EPSILON = 1e-9
_DIGITS = 6  # of a drawn float: what a person can read and type again


@dataclass(frozen=True)
class Axis:
    """One knob. A choice between numbers becomes an ordinal: the place of the number among them in rising order.

    So 64 lies between 32 and 128, and CMA-ES, which knows no choices, can move along it. A choice between texts stays one.
    """

    knob: Knob

    @cached_property
    def choices(self) -> tuple[int | float, ...]:
        """The numbers of an ordinal in rising order; empty for any other knob."""
        distribution = self.knob.distribution
        if not isinstance(distribution, CategoricalDistribution):
            return ()
        numbers = [choice for choice in distribution.choices if isinstance(choice, int | float)]
        return tuple(sorted(numbers)) if len(numbers) == len(distribution.choices) else ()

    @cached_property
    def whole(self) -> BaseDistribution:
        """The knob's entire range. A float's step is left out: it comes back with `outward`."""
        if self.choices:
            return IntDistribution(0, len(self.choices) - 1)
        match self.knob.distribution:
            case FloatDistribution(low=low, high=high, log=log):
                return FloatDistribution(low, high, log=log)
            case IntDistribution() | CategoricalDistribution() as distribution:
                return distribution
        raise RevisionError(f"a range must be a float, int or categorical distribution, not {self.knob.distribution!r}")

    def inward(self, value: KnobValue) -> KnobValue | None:
        """The knob's value on this axis. A number outside the range moves to its edge; None for a text that is no choice."""
        if isinstance(self.whole, CategoricalDistribution):
            return value if value in self.whole.choices else None
        if isinstance(value, str):
            return None
        if self.choices:
            return self._nearest_choice(value)
        return _into(self.whole, value)

    def outward(self, value: KnobValue) -> KnobValue:
        """The knob's value for a place on this axis, in the knob's own type and range."""
        if self.choices:
            return self.choices[int(value)]
        if isinstance(self.whole, CategoricalDistribution):
            return value
        drawn = _into(self.knob.distribution, value)
        if self.knob.kind is float:  # rounded, it may lie beyond the edge by less than it was rounded by
            return float(_into(self.whole, float(f"{drawn:.{_DIGITS}g}")))
        return drawn

    def box(self, value: KnobValue, half_width: float) -> BaseDistribution:
        """The part of the axis that lies within `half_width` of the whole range from the knob's value, in its own scale.

        An integer always has its two neighbours in it; a choice between texts is free.
        """
        if isinstance(self.whole, CategoricalDistribution):
            return self.whole
        center = self.inward(value)
        if center is None:
            raise KnobError(f"knob {self.knob.name!r} is {value!r}, expected {describe(self.knob.distribution)}")
        low, high = self._around(float(center), half_width)
        if isinstance(self.whole, FloatDistribution):
            return FloatDistribution(low, high, log=self.whole.log)
        assert isinstance(self.whole, IntDistribution)
        step, bottom, middle = self.whole.step, self.whole.low, int(center)
        down = min(bottom + math.ceil((low - bottom) / step - _EPSILON) * step, middle - step)
        up = max(bottom + math.floor((high - bottom) / step + _EPSILON) * step, middle + step)
        return IntDistribution(max(down, self.whole.low), min(up, self.whole.high), log=self.whole.log, step=step)

    def _around(self, center: float, half_width: float) -> tuple[float, float]:
        assert isinstance(self.whole, IntDistribution | FloatDistribution)
        low, high = float(self.whole.low), float(self.whole.high)
        if not self.whole.log:
            reach = half_width * (high - low)
            return max(center - reach, low), min(center + reach, high)
        factor = math.exp(half_width * math.log(high / low))
        return max(center / factor, low), min(center * factor, high)

    def _nearest_choice(self, number: float) -> int:
        above = bisect.bisect_left(self.choices, number)
        neighbours = [place for place in (above - 1, above) if 0 <= place < len(self.choices)]
        return min(neighbours, key=lambda place: abs(self.choices[place] - number))


def _into(distribution: BaseDistribution, value: KnobValue) -> int | float:
    """The number of the range that is nearest, on its grid where it has one."""
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    number = min(max(float(value), distribution.low), distribution.high)
    if distribution.step is None:
        return number
    return distribution.low + round((number - distribution.low) / distribution.step) * distribution.step
