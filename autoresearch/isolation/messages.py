"""What a candidate may say, and the check of each message: whatever is not as it should be is `Nonsense`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import json_to_distribution

from autoresearch.errors import InputError
from autoresearch.knobs import Knob, check
from autoresearch.progress import Progress

from .channel import Nonsense
from .job import WEIGHTS_ROOM
from .weights import DTYPE_NAMES, TensorEntry, total_size

MAX_TAIL = 4000  # characters of a traceback or log that are kept
_MAX_LINE = 500
_MAX_KNOBS = 200
_MAX_TENSORS = 20_000  # a message has no room for so many; the wire says so first
_KNOB_TYPES = {"int": int, "float": float, "str": str}
_COUNT = 2**60  # more than anything that is counted


@dataclass(frozen=True)
class Enclosed:
    """Its first word, before it knows what it is for: it can do no more than it should."""


@dataclass(frozen=True)
class Next:
    """It wants the next training batch."""


@dataclass(frozen=True)
class Training:
    """The budget has begun to run: the first batch was handed over. This is our own word, no candidate's."""


@dataclass(frozen=True)
class Ready:
    """It has read the weights and waits for questions."""


@dataclass(frozen=True)
class Trained:
    """The budget is spent, and the weights are in their place. All else is the candidate's own word; nothing is decided by it."""

    warmup_seconds: float
    tokens_per_second: float
    mfu_percent: float | None
    parameters: int
    peak_memory_bytes: int
    weights: tuple[TensorEntry, ...]


@dataclass(frozen=True)
class Logits:
    """The logits for the tokens on the slate are on the slate."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Finished:
    """The last word after a score."""

    peak_memory_bytes: int


@dataclass(frozen=True)
class Failed:
    """The last word of a job that came to nothing."""

    error: str  # name of a class in our tree of errors
    message: str  # one line
    tail: str


@dataclass(frozen=True)
class Knobs:
    """What a revision declares."""

    knobs: dict[str, Knob]


Message = Enclosed | Next | Training | Progress | Trained | Ready | Logits | Finished | Failed | Knobs


def understand(message: Mapping[str, Any]) -> Message:
    """Check a message.

    Raises:
        Nonsense: It is none of those above.
    """
    said = _Fields(message)
    match message.get("kind"):
        case "enclosed":
            return Enclosed()
        case "next":
            return Next()
        case "progress":
            return _progress(said)
        case "trained":
            return _trained(said)
        case "ready":
            return Ready()
        case "logits":
            return Logits(said.shape("shape"), said.one_of("dtype", ("float32", "bfloat16")))
        case "finished":
            return Finished(said.whole("peak_memory_bytes"))
        case "failed":
            return Failed(said.text("error"), one_line(said.text("message")), printable(said.text("tail"))[-MAX_TAIL:])
        case "knobs":
            return Knobs(_knobs(message))
        case kind:
            raise Nonsense(f"a message of kind {str(kind)[:40]!r}")


def one_line(text: str) -> str:
    """Text from outside as one line for a person."""
    return " ".join(printable(text).split())[:_MAX_LINE]


def printable(text: str) -> str:
    """Without control characters, which a terminal or a database would take amiss."""
    kept = "".join(character if character.isprintable() or character in "\n\t" else " " for character in text)
    return kept.encode("utf-8", "replace").decode()


class _Fields:
    """Reads fields and checks their types and ranges."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        self._message = message

    def anything(self, name: str) -> Any:
        return self._message.get(name)

    def text(self, name: str) -> str:
        value = self._message.get(name)
        if not isinstance(value, str):
            raise Nonsense(f"{name} is {str(value)[:40]!r}, no text")
        return value

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in choices:
            raise Nonsense(f"{name} is {value[:40]!r}, none of {', '.join(choices)}")
        return value

    def number(self, name: str, low: float = 0.0, high: float = 1e30) -> float:
        value = self._message.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Nonsense(f"{name} is {str(value)[:40]!r}, no number from {low} to {high}")  # NaN is in no range
        return float(value)

    def number_or_none(self, name: str) -> float | None:
        return None if self._message.get(name) is None else self.number(name)

    def whole(self, name: str, high: int = _COUNT) -> int:
        value = self._message.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
            raise Nonsense(f"{name} is {str(value)[:40]!r}, no whole number from 0 to {high}")
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        value = self._message.get(name)
        if not isinstance(value, list) or len(value) > 10 or not all(type(size) is int for size in value):
            raise Nonsense(f"{name} is {str(value)[:40]!r}, no shape")
        return tuple(value)


def _progress(said: _Fields) -> Progress:
    return Progress(
        fraction=said.number("fraction", high=1.0),
        step=said.whole("step"),
        loss=said.number("loss", low=-1e30),
        tokens_per_second=said.number("tokens_per_second"),
        mfu_percent=said.number_or_none("mfu_percent"),
        seconds_left=said.number("seconds_left"),
    )


def _trained(said: _Fields) -> Trained:
    return Trained(
        warmup_seconds=said.number("warmup_seconds"),
        tokens_per_second=said.number("tokens_per_second"),
        mfu_percent=said.number_or_none("mfu_percent"),
        parameters=said.whole("parameters"),
        peak_memory_bytes=said.whole("peak_memory_bytes"),
        weights=_weights(said.anything("weights")),
    )


def _weights(listed: Any) -> tuple[TensorEntry, ...]:
    if not isinstance(listed, list) or len(listed) > _MAX_TENSORS:
        raise Nonsense(f"no list of up to {_MAX_TENSORS} tensors")
    entries = tuple(_tensor_entry(item) for item in listed)
    if len({entry.name for entry in entries}) < len(entries):
        raise Nonsense("two tensors of one name")
    if total_size(entries) > WEIGHTS_ROOM:
        raise Nonsense(f"tensors of {total_size(entries)} bytes")
    return entries


def _tensor_entry(item: Any) -> TensorEntry:
    if not isinstance(item, list) or len(item) != 3:
        raise Nonsense("a tensor that is no triple")
    said = _Fields({"name": item[0], "dtype": item[1], "shape": item[2]})
    shape = said.shape("shape")
    if any(not 0 <= size <= _COUNT for size in shape):
        raise Nonsense(f"a tensor of shape {shape}")
    return TensorEntry(said.text("name"), said.one_of("dtype", DTYPE_NAMES), shape)


def _knobs(message: Mapping[str, Any]) -> dict[str, Knob]:
    entries = message.get("knobs")
    if not isinstance(entries, list) or not 0 < len(entries) <= _MAX_KNOBS:
        raise Nonsense(f"no list of 1 to {_MAX_KNOBS} knobs")
    knobs = [_knob(entry) for entry in entries]
    if len({knob.name for knob in knobs}) < len(knobs):
        raise Nonsense("two knobs of one name")
    return {knob.name: knob for knob in knobs}


def _knob(entry: Any) -> Knob:
    if not isinstance(entry, dict):
        raise Nonsense("a knob that is no object")
    said = _Fields(entry)
    name = said.text("name")
    if not name.isidentifier() or len(name) > 100:
        raise Nonsense(f"a knob of the name {name[:40]!r}")
    kind = _KNOB_TYPES[said.one_of("type", tuple(_KNOB_TYPES))]
    try:
        knob = Knob(name, kind, entry.get("default"), json_to_distribution(said.text("distribution")))  # type: ignore[arg-type]
        check(knob, knob.default)
        bounds = (getattr(knob.distribution, "low", 0), getattr(knob.distribution, "high", 0))
        finite = all(math.isfinite(bound) for bound in bounds)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, InputError) as error:
        raise Nonsense(f"knob {name}: {error}") from error
    if not finite:
        raise Nonsense(f"knob {name} has no finite range")
    return knob
