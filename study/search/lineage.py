"""Older trials in terms of the incumbent's code: what the edits between have changed, and the knobs that they brought."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoresearch.knobs import KnobValue

from ..records import Kind
from .observations import Observation, Target


@dataclass(frozen=True)
class Point:
    """A trial on the axes of the incumbent's knobs."""

    observation: Observation
    place: Mapping[str, KnobValue]  # on the axis of each of the incumbent's knobs
    shift: float = 0.0  # to add to a value of this trial, to compare it with the incumbent's code


def shifts(target: Target, observations: Sequence[Observation]) -> dict[str, float]:
    """For the incumbent's revision and each before it, what to add to its values to compare them with the incumbent's.

    An edit is tried with its parent's knob values, so v(edit) − v(parent) is its effect, free of the knobs'; the shift of a
    revision is the sum of the effects from it to the incumbent's. Where an effect was never measured the chain ends: what
    lies before it cannot be compared, and is left out.
    """
    shift, found = 0.0, {target.revision: 0.0}
    steps = list(zip(target.lineage, target.lineage[1:], strict=False))
    for parent, child in reversed(steps):
        effects = _effects(parent, child, observations)
        if not effects:
            break
        shift += math.fsum(effects) / len(effects)
        found[parent] = shift
    return found


def _effects(parent: str, child: str, observations: Sequence[Observation]) -> list[float]:
    by_number = {observation.number: observation for observation in observations}
    effects = []
    for after in observations:
        before = by_number.get(after.parent) if after.parent is not None else None
        if after.kind is not Kind.EDIT or after.revision != child or before is None or before.revision != parent:
            continue
        shared = after.values.keys() & before.values.keys()
        same = all(after.values[name] == before.values[name] for name in shared)
        if same and after.val_bpb is not None and before.val_bpb is not None:
            effects.append(after.val_bpb - before.val_bpb)
    return effects


def recent(target: Target, observations: Sequence[Observation], revisions: int) -> list[Point]:
    """The trials of the last few revisions of the incumbent's lineage, shifted to its code, oldest first.

    Of runs of the same code and values the first counts: it ran on the study's own seed, as the samples do.
    """
    shift_of = shifts(target, observations)
    within = {revision: shift_of[revision] for revision in target.lineage[-revisions:] if revision in shift_of}
    points: dict[tuple[object, ...], Point] = {}
    for observation in sorted(observations, key=lambda observation: observation.number):
        if observation.revision not in within or observation.kind is Kind.CONFIRM or observation.state == "fail":
            continue
        place = place_of(target, observation)
        if place is not None:
            key = (observation.revision, *sorted(observation.values.items()))
            points.setdefault(key, Point(observation, place, within[observation.revision]))
    return list(points.values())


def place_of(target: Target, observation: Observation) -> dict[str, KnobValue] | None:
    """Where a trial lies on the axes of the incumbent's knobs; None where it has a text that is no choice any more.

    A knob that its code did not have stands at the default of the code that brought it: there the trial would have run.
    """
    place: dict[str, KnobValue] = {}
    for name, axis in target.axes.items():
        value = observation.values.get(name)
        inward = axis.inward(_first_default(target, observation, name) if value is None else value)
        if inward is None:
            return None
        place[name] = inward
    return place


def _first_default(target: Target, observation: Observation, name: str) -> KnobValue:
    start = target.lineage.index(observation.revision) if observation.revision in target.lineage else 0
    declared = (target.knobs[revision] for revision in target.lineage[start:])
    return next(knobs[name].default for knobs in declared if name in knobs)
