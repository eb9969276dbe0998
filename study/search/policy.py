"""Which kind of trial comes next. A policy is a pure function of what has been tried: a restarted study decides the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Kind

History = Sequence[tuple[Kind, bool]]  # of each search trial its kind and whether it was promoted, oldest first


@dataclass(frozen=True)
class Stagnation:
    """Try the one kind until it stagnates, then the other; a promotion goes back to samples."""

    samples: int = 2  # in a row without a promotion
    edits: int = 4  # in a row without a promotion


@dataclass(frozen=True)
class Ratio:
    """A fixed share of edits."""

    edits: float = 0.5  # share of all search trials


Policy = Stagnation | Ratio


def next_kind(policy: Policy, history: History, editor_available: bool) -> Kind:
    """SAMPLE or EDIT.

    Args:
        policy: The rule.
        history: The search trials: first the finished ones in the order in which they finished, then those under way as not
            promoted. So the trials that run at one time keep the rhythm that one after the other would have.
            An interrupted trial does not belong in it.
        editor_available: False without an editor, or when it has nothing left to propose: then it is always SAMPLE.
    """
    if not editor_available:
        return Kind.SAMPLE
    if isinstance(policy, Ratio):
        return _keeping_share(policy, history)
    return _alternating(policy, history)


def _alternating(policy: Stagnation, history: History) -> Kind:
    mode, misses = Kind.SAMPLE, 0
    for kind, promoted in history:
        if promoted:
            mode, misses = Kind.SAMPLE, 0
        elif kind is mode:  # one of the other kind was started before the switch, and says nothing about this one
            misses += 1
        if mode is Kind.SAMPLE and misses >= policy.samples:
            mode, misses = Kind.EDIT, 0
        elif mode is Kind.EDIT and misses >= policy.edits:
            mode, misses = Kind.SAMPLE, 0
    return mode


def _keeping_share(policy: Ratio, history: History) -> Kind:
    """Whichever keeps the number of edits within a half of its share of the trials so far, this one included."""
    edits = sum(kind is Kind.EDIT for kind, _ in history)
    return Kind.EDIT if edits + 0.5 < policy.edits * (len(history) + 1) else Kind.SAMPLE
