"""Knobs: the hyperparameters that a revision declares, each with a default and an Optuna distribution as its range.

A revision's `Hyperparameters` is a frozen dataclass whose fields look like
`depth: Annotated[int, IntDistribution(4, 24)] = 8`. Everything that reads, checks or sets a knob goes through here.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoresearch.errors import KnobError, RevisionError

KnobValue = int | float | str

_KINDS: tuple[type, ...] = (int, float, str)


@dataclass(frozen=True)
class Knob:
    """One hyperparameter of a revision."""

    name: str
    kind: type  # int, float or str
    default: KnobValue
    distribution: BaseDistribution


def knobs_of(hyperparameters: type) -> dict[str, Knob]:
    """Read the knobs that a `Hyperparameters` dataclass declares, in their order.

    Raises:
        RevisionError: A field without a range or default, of another type than int, float or str, or whose default
            lies outside its own range.
    """
    if not dataclasses.is_dataclass(hyperparameters):
        raise RevisionError("Hyperparameters must be a dataclass, with one annotated field for each knob")
    hints = typing.get_type_hints(hyperparameters, include_extras=True)
    knobs = {}
    for field in dataclasses.fields(hyperparameters):
        kind, *extras = typing.get_args(hints[field.name]) or (None,)
        ranges = [extra for extra in extras if isinstance(extra, BaseDistribution)]
        if kind not in _KINDS or len(ranges) != 1 or field.default is dataclasses.MISSING:
            raise RevisionError(
                f"knob {field.name!r} must read `name: Annotated[int | float | str, one distribution] = default`"
            )
        knob = Knob(field.name, kind, field.default, ranges[0])
        try:
            check(knob, field.default)
        except KnobError as error:
            raise RevisionError(f"default of {error}") from None
        knobs[field.name] = knob
    return knobs


def resolve(knobs: Mapping[str, Knob], assignments: Iterable[str]) -> dict[str, KnobValue]:
    """The full set of values: the defaults, changed by assignments such as `depth=4`.

    Raises:
        KnobError: An unknown name (the closest one is suggested), text that is no number, a value out of range.
    """
    values = {name: knob.default for name, knob in knobs.items()}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or not name or not text:
            raise KnobError(f"{assignment!r} is no assignment: write NAME=VALUE, as in depth=4")
        if name not in knobs:
            close = difflib.get_close_matches(name, knobs, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"the knobs are {', '.join(knobs)}"
            raise KnobError(f"there is no knob {name!r}: {hint}")
        values[name] = _parse(knobs[name], text)
    for name, value in values.items():
        check(knobs[name], value)
    return values


def _parse(knob: Knob, text: str) -> KnobValue:
    try:
        value: KnobValue = knob.kind(text)
    except ValueError:
        expected = "a whole number" if knob.kind is int else "a number"
        raise KnobError(f"knob {knob.name!r} takes {expected}, not {text!r}") from None
    return value


def check(knob: Knob, value: Any) -> None:
    """Raise a `KnobError` unless the value is of the knob's type and in its range."""
    whole_as_float = knob.kind is float and type(value) is int
    if type(value) is not knob.kind and not whole_as_float:
        raise KnobError(f"knob {knob.name!r} is {value!r}, which is no {knob.kind.__name__}")
    if not _contains(knob.distribution, value):
        raise KnobError(f"knob {knob.name!r} is {value!r}, expected {describe(knob.distribution)}")


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return value in choices
        case IntDistribution(low=low, high=high, step=step):
            return bool(low <= value <= high and (value - low) % step == 0)
        case FloatDistribution(low=low, high=high):
            return bool(low <= value <= high)  # NaN is in no range; a float step is for drawing only
    raise RevisionError(f"a range must be a float, int or categorical distribution, not {distribution!r}")


def describe(distribution: BaseDistribution) -> str:
    """A range in words: `4 to 24`, `one of 64, 128, 256`."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"one of {', '.join(map(str, choices))}"
        case IntDistribution(low=low, high=high, step=step) if step != 1:
            return f"{low} to {high} in steps of {step}"
        case IntDistribution(low=low, high=high) | FloatDistribution(low=low, high=high):
            return f"{low} to {high}"
    return repr(distribution)


def batches_a_step(values: Mapping[str, KnobValue], context: int) -> int:
    """How many of the device's batches make one optimizer step.

    Raises:
        KnobError: It is no whole number.
    """
    rows, tokens = int(values["device_batch_size"]), int(values["total_batch_size"])
    if rows < 1 or tokens < 1 or tokens % (rows * context):
        raise KnobError(
            f"total_batch_size {tokens} is no multiple of device_batch_size x context = {rows} x {context} = "
            f"{rows * context}; change one of the two knobs"
        )
    return tokens // (rows * context)
