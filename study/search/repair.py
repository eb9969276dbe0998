"""Batch sizes that go together: a step's tokens are a whole number of the device's batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.distributions import CategoricalDistribution, IntDistribution

from autoresearch.errors import RevisionError
from autoresearch.knobs import Knob, KnobValue

_ROWS, _TOKENS = "device_batch_size", "total_batch_size"


def repair(values: Mapping[str, KnobValue], knobs: Mapping[str, Knob], context: int) -> dict[str, KnobValue]:
    """The values with `total_batch_size` made a multiple of `device_batch_size` x `context`.

    The largest number of rows that divides the tokens is taken, no larger than the one drawn: the step stays the same and
    needs no more memory. Where none divides them, the tokens go up to the next number that works. Other values stay.

    Raises:
        RevisionError: No two values in the ranges of the two knobs go together.
    """
    if not {_ROWS, _TOKENS} <= knobs.keys():
        return dict(values)
    rows, tokens = int(values[_ROWS]), int(values[_TOKENS])
    fewer = [choice for choice in reversed(_allowed(knobs[_ROWS])) if choice <= rows]
    fitting = next((choice for choice in fewer if tokens % (choice * context) == 0), None)
    if fitting is not None:
        return {**values, _ROWS: fitting}
    for more in _allowed(knobs[_TOKENS]):
        if more > tokens and (fitting := next((choice for choice in fewer if more % (choice * context) == 0), None)):
            return {**values, _ROWS: fitting, _TOKENS: more}
    raise RevisionError(
        f"no {_TOKENS} from {tokens} up is a multiple of a {_ROWS} up to {rows} times {context} tokens a row: "
        "widen the range of one of the two"
    )


def _allowed(knob: Knob) -> Sequence[int]:
    """The knob's whole numbers in rising order."""
    match knob.distribution:
        case CategoricalDistribution(choices=choices):
            return sorted(int(choice) for choice in choices if isinstance(choice, int))
        case IntDistribution(low=low, high=high, step=step):
            return range(low, high + 1, step)
    raise RevisionError(f"the range of {knob.name} must be whole numbers, not {knob.distribution!r}")
