"""Batch sizes that go together: a step's tokens are a whole number of the device's batches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import chain

from optuna.distributions import CategoricalDistribution, IntDistribution

from autoresearch.errors import RevisionError
from autoresearch.knobs import Knob, KnobValue

_ROWS, _TOKENS = "device_batch_size", "total_batch_size"


def repair(values: Mapping[str, KnobValue], knobs: Mapping[str, Knob], context: int) -> dict[str, KnobValue]:
    """The values with `total_batch_size` made a multiple of `device_batch_size` x `context`.

    The largest number of rows that divides the tokens is taken, no larger than the one drawn: the step stays the same and
    needs no more memory. Where none divides them, the tokens go up to the next number that works, else down; and where
    nothing works with so few rows, with the fewest more. Other values stay.

    Raises:
        RevisionError: No two values in the ranges of the two knobs go together.
    """
    if not {_ROWS, _TOKENS} <= knobs.keys():
        return dict(values)
    rows, tokens = int(values[_ROWS]), int(values[_TOKENS])
    allowed_rows, allowed_tokens = _allowed(knobs[_ROWS]), _allowed(knobs[_TOKENS])
    fewer, more = _apart(allowed_rows, rows)
    down, up = _apart(allowed_tokens, tokens)
    for sizes in (fewer[::-1], more):
        for total in chain((tokens,), up, down[::-1]):
            fitting = next((size for size in sizes if total % (size * context) == 0), None)
            if fitting is not None:
                return {**values, _ROWS: fitting, _TOKENS: total}
    raise RevisionError(
        f"no {_TOKENS} in its range is a multiple of a {_ROWS} in its range times {context} tokens a row: "
        "widen the range of one of the two"
    )


def _apart(choices: Sequence[int], drawn: int) -> tuple[Sequence[int], Sequence[int]]:
    """Those up to the one drawn, and those above; parts of a range stay ranges, which may be long."""
    place = bisect_right(choices, drawn)
    return choices[:place], choices[place:]


def _allowed(knob: Knob) -> Sequence[int]:
    """The knob's whole numbers in rising order."""
    match knob.distribution:
        case CategoricalDistribution(choices=choices):
            return sorted(int(choice) for choice in choices if isinstance(choice, int))
        case IntDistribution(low=low, high=high, step=step):
            return range(low, high + 1, step)
    raise RevisionError(f"the range of {knob.name} must be whole numbers, not {knob.distribution!r}")
