"""The figures of a trial, and how numbers are written wherever people read them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

import click

from autoresearch.knobs import KnobValue

from ..records import TrialRecord


def bpb(value: float | None) -> str:
    """A val_bpb: six decimals, since a good GPU's noise is in the fourth."""
    return "" if value is None else f"{value:.6f}"


def signed(gain: float | None) -> str:
    """A gain with its sign; plus is better."""
    return "" if gain is None else f"{gain:+.6f}"


def knob(value: KnobValue) -> str:
    """A knob's value; a drawn float has more digits than anybody reads."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def usd(amount: Decimal) -> str:
    """Dollars and cents; of less than a cent enough digits to see that it is not nothing."""
    if 0 < amount < Decimal("0.01"):
        return f"${amount.quantize(Decimal('0.0001'), ROUND_CEILING)}"
    return f"${amount:.2f}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as in 7:48:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def seconds_of(trial: TrialRecord) -> float | None:
    """How long a trial took from its claim to its end."""
    return None if trial.finished_at is None else max(0.0, trial.finished_at - trial.created_at)


def memory_gib_of(trial: TrialRecord) -> float | None:
    """The most memory that a trial held, where it lived to say so."""
    peak = trial.result.get("peak_memory_bytes")
    return None if peak is None else float(peak) / 2**30


def changed_values(
    before: Mapping[str, KnobValue], after: Mapping[str, KnobValue]
) -> dict[str, tuple[KnobValue | None, KnobValue | None]]:
    """The knobs whose values differ, each with both; None where one of them has no such knob."""
    names = [*after, *(name for name in before if name not in after)]
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def one_line(text: str) -> str:
    """A text made fit for a cell: without line ends and control codes."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in click.unstyle(text)).split())


def printable(text: str) -> str:
    """A text of many lines without control codes, which could move a terminal's cursor or change its colours."""
    lines = click.unstyle(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in lines)
