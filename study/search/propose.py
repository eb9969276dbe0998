"""The next sample: a pure function of what the database says, so that a killed and restarted study proposes the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler

from autoresearch.knobs import KnobValue

from ..records import Kind
from .axis import Axis
from .lineage import Point, place_of
from .observations import Observation, Target
from .repair import repair
from .sampler import RevisionSampler, shadow_study

SamplerName = Literal["hybrid", "tpe", "cmaes", "random"]

_REDRAWS = 20  # before a set of values that was tried already is taken for want of another


@dataclass(frozen=True)
class Draw:
    """The knob values of the next sample."""

    values: dict[str, KnobValue]  # one for each of the incumbent's knobs
    system_attrs: dict[str, Any] = field(default_factory=dict)  # to give back with the trial's `Observation`


def propose(sampler_name: SamplerName, target: Target, observations: Sequence[Observation], seed: int) -> Draw:
    """Draw the next sample on the incumbent's code.

    - `hybrid`: `RevisionSampler`.
    - `tpe`, `cmaes`, `random`: Optuna's own, on the trials of all code as if it were one: values are not shifted, a knob that
      some code did not have stands at its default, a number outside today's range at its edge.

    CMA-ES keeps its state in the system attributes of samples. A distribution over other knobs or ranges cannot be carried
    on, so it begins anew, from the middle of the ranges, whenever an edit that is kept has added, removed or changed one.
    A choice between texts is beyond CMA-ES: Optuna draws it at random.

    Values are repaired (`repair`), in their ranges, floats of six digits; and never all the same as those of a trial of the same
    code, unless the ranges hold little else.
    """
    tried = [observation.values for observation in observations if observation.revision == target.revision]
    for attempt in range(_REDRAWS):
        sub_seed = int(np.random.SeedSequence([seed, len(observations), attempt]).generate_state(1)[0])
        drawn = _draw(sampler_name, target, observations, sub_seed)
        values = repair(drawn.values, target.knobs[target.revision], target.context)
        if values not in tried:
            break
    return Draw(values, drawn.system_attrs)


def _draw(name: SamplerName, target: Target, observations: Sequence[Observation], seed: int) -> Draw:
    if name == "hybrid":
        return Draw(RevisionSampler(target, seed=seed).draw(observations, seed))
    whole = {knob: axis.whole for knob, axis in target.axes.items()}
    study = shadow_study(_plain(name, seed), whole, _pooled(target, observations))
    trial = study.ask(fixed_distributions=whole)
    state = {
        key: value for key, value in study.get_trials(deepcopy=False)[-1].system_attrs.items() if key.startswith("cma:")
    }
    return Draw({knob: axis.outward(trial.params[knob]) for knob, axis in target.axes.items()}, state)


def _plain(name: SamplerName, seed: int) -> BaseSampler:
    match name:
        case "tpe":
            return TPESampler(seed=seed, multivariate=True)
        case "cmaes":
            return CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "random":
            return RandomSampler(seed=seed)
    raise ValueError(f"sampler {name!r}: expected hybrid, tpe, cmaes or random")


def _pooled(target: Target, observations: Sequence[Observation]) -> list[Point]:
    """All trials with a result, as if their code were one. State of CMA-ES over other ranges stays behind."""
    ranges = _ranges(target, target.revision)
    points = []
    for seen in sorted(observations, key=lambda observation: observation.number):
        place = None if seen.kind is Kind.CONFIRM or seen.state == "fail" else place_of(target, seen)
        if place is not None:
            same = _ranges(target, seen.revision) == ranges
            points.append(Point(seen if same else replace(seen, system_attrs={}), place))
    return points


def _ranges(target: Target, revision: str) -> dict[str, BaseDistribution]:
    return {name: Axis(knob).whole for name, knob in target.knobs[revision].items()}
