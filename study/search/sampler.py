"""`RevisionSampler`: Optuna's TPE for an objective that moves whenever the code moves."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoresearch.knobs import KnobValue

from ..records import Kind
from .lineage import Point, recent
from .observations import Observation, State, Target

# A shadow study lives for one draw; a line in the log for each would drown the others.
logging.getLogger("optuna.storages._in_memory").setLevel(logging.WARNING)

# Chosen by benchmarks/search_simulation.py.
HALF_WIDTH = 0.2  # of the box around the incumbent, in parts of a range
REVISIONS = 3  # of the lineage that are looked at
SHARE = 0.4  # of the knobs that a sample changes

_STATES: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "running": TrialState.RUNNING,
    "pruned": TrialState.PRUNED,
    "fail": TrialState.FAIL,
}
_STATE_NAMES: Mapping[TrialState, State] = {state: name for name, state in _STATES.items()}


class RevisionSampler(BaseSampler):
    """Draws knob values for the incumbent's code from the trials of the last revisions of its lineage.

    A sample changes a random part of the knobs and leaves the others at the incumbent's values. What it changes is drawn by
    multivariate TPE inside a box around the incumbent, from the trials that lie in that box. Values of older code are
    shifted by the measured effect of the edits between, and a knob that did not exist stands at its default. Trials that
    run count as bad ones (constant liar); pruned ones and those that ran out of memory (constraint `vram_gib`) are handed to
    TPE as they are.

    It reads a study whose trials carry the user attributes `kind`, `revision` and `parent` (the revision in the target's
    own words; a trial without is left out), and every draw depends on them, the seed and the trial's number alone:

        study = optuna.create_study(sampler=RevisionSampler(target, seed=0))
        study.add_trials(history)
        trial = study.ask(fixed_distributions={name: knob.distribution for name, knob in knobs.items()})
    """

    def __init__(
        self,
        target: Target,
        *,
        seed: int,
        half_width: float = HALF_WIDTH,
        revisions: int = REVISIONS,
        share: float = SHARE,
    ) -> None:
        self._target = target
        self._seed = seed
        self._half_width = half_width
        self._revisions = revisions
        self._share = share
        self._others = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All knobs of the incumbent's code."""
        return {name: axis.knob.distribution for name, axis in self._target.axes.items()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A value for each knob of the search space."""
        others = (_observation(other) for other in study.get_trials(deepcopy=False) if other.number != trial.number)
        seed = np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]
        drawn = self.draw([other for other in others if other is not None], int(seed))
        return {name: drawn[name] for name in search_space}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value for a parameter that is no knob of the incumbent's code."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def draw(self, observations: Sequence[Observation], seed: int) -> dict[str, KnobValue]:
        """A value for each knob of the incumbent's code."""
        target, random = self._target, np.random.default_rng(seed)
        box = {name: axis.box(target.values[name], self._half_width) for name, axis in target.axes.items()}
        near = [point for point in recent(target, observations, self._revisions) if _inside(point, box)]
        changed = {name: part for name, part in box.items() if random.uniform() < self._share}
        if not changed:
            name = str(random.choice(list(box)))
            changed = {name: box[name]}
        shadow = shadow_study(TPESampler(seed=seed, multivariate=True), changed, near)
        drawn = shadow.ask(fixed_distributions=changed).params
        return {
            name: axis.outward(drawn[name]) if name in drawn else target.values[name]
            for name, axis in target.axes.items()
        }


def _inside(point: Point, box: Mapping[str, BaseDistribution]) -> bool:
    for name, part in box.items():
        place = point.place[name]
        if isinstance(part, FloatDistribution | IntDistribution) and not part.low <= float(place) <= part.high:
            return False
    return True


def shadow_study(sampler: BaseSampler, space: Mapping[str, BaseDistribution], points: Sequence[Point]) -> optuna.Study:
    """A study in memory that holds these trials by their places on the axes of this space, for one draw."""
    study = optuna.create_study(sampler=sampler)
    study.add_trials([_trial(point, dict(space)) for point in points])
    return study


def _trial(point: Point, space: dict[str, BaseDistribution]) -> FrozenTrial:
    seen = point.observation
    excess = seen.vram_excess_gib
    return create_trial(
        state=_STATES[seen.state],
        value=None if seen.val_bpb is None else seen.val_bpb + point.shift,
        params={name: point.place[name] for name in space},
        distributions=space,
        system_attrs=dict(seen.system_attrs),
        intermediate_values={} if seen.last is None else {seen.last[0]: seen.last[1] + point.shift},
        constraints=None if excess is None else {"vram_gib": excess},
    )


def _observation(trial: FrozenTrial) -> Observation | None:
    """A trial of a study, by the user attributes that say which code it ran; None where it has none."""
    if "revision" not in trial.user_attrs or trial.state not in _STATE_NAMES:
        return None
    reported = trial.intermediate_values
    return Observation(
        number=trial.number,
        kind=Kind(trial.user_attrs["kind"]),
        revision=trial.user_attrs["revision"],
        values=trial.params,
        state=_STATE_NAMES[trial.state],
        val_bpb=trial.value if trial.state is TrialState.COMPLETE else None,
        parent=trial.user_attrs.get("parent"),
        last=max(reported.items()) if reported else None,
        vram_excess_gib=trial.constraints.get("vram_gib"),
    )
