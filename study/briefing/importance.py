"""Which knobs mattered: Optuna's PED-ANOVA over the trials of the incumbent's recent code, brought to terms with one another."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from ..records import Kind
from ..search.lineage import recent
from ..search.observations import Target, observed
from .snapshot import Snapshot

FEWEST = 20  # trials with a score: with fewer the best quarter of them is too small to say anything
_BEST = 0.25  # share of the trials that count as good; optuna advises at least five
_SHOWN = 12  # knobs


def importances(snapshot: Snapshot) -> tuple[Mapping[str, float], int]:
    """The share of each knob, the largest first, and of how many trials; of none where there are too few.

    The same trials as the sampler learns from: of the last revisions of the lineage, older scores shifted by the measured
    effect of the edits between.
    """
    from ..search.sampler import REVISIONS, shadow_study  # optuna's samplers take a moment to import

    target = Target(
        revision=snapshot.incumbent.revision,
        lineage=snapshot.lineage,
        values=snapshot.incumbent.values,
        knobs={name: revision.knobs for name, revision in snapshot.revisions.items()},
        context=snapshot.settings.context,
    )
    seen = [observed(trial) for trial in snapshot.history if trial.kind is not Kind.CONFIRM]
    points = [point for point in recent(target, seen, REVISIONS) if point.observation.state == "complete"]
    points = [point for point in points if point.observation.val_bpb is not None]
    if len(points) < FEWEST:
        return {}, len(points)

    import optuna

    space = {name: axis.whole for name, axis in target.axes.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = shadow_study(optuna.samplers.RandomSampler(seed=0), space, points)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_BEST)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return found, len(points)


def importance_lines(snapshot: Snapshot) -> list[str]:
    """In words; nothing where nothing is known."""
    found, trials = importances(snapshot)
    if not found:
        return []
    largest = list(found.items())[:_SHOWN]
    return [
        f"# Which knobs mattered, among {trials} trials of this code and the code before it (PED-ANOVA, shares of 1)",
        "",
        ", ".join(f"{name[:60]} {share:.2f}" for name, share in largest),
    ]
