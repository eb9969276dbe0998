"""What a sampler knows: the trials so far, and the code and values that it is to improve on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from autoresearch.knobs import Knob, KnobValue

from ..records import SCORED, Kind, Status, TrialRecord
from .axis import Axis

State = Literal["complete", "running", "pruned", "fail"]

_UNKNOWN_EXCESS = 1.0  # GiB: by how much memory was short is not known, and any number above zero means that it was


@dataclass(frozen=True)
class Observation:
    """One trial, as a sampler sees it."""

    number: int
    kind: Kind
    revision: str  # sha256 of its code
    values: Mapping[str, KnobValue]  # one for each knob of its revision
    state: State
    val_bpb: float | None = None  # of a complete trial
    parent: int | None = (
        None  # number of the incumbent's trial when it was proposed; an edit ran with that one's values
    )
    last: tuple[int, float] | None = None  # step and value reported last; ranks the pruned
    vram_excess_gib: float | None = None  # over the limit; above zero it ran out of memory
    system_attrs: Mapping[str, Any] = field(default_factory=dict)  # that its `Draw` came with


@dataclass(frozen=True)
class Target:
    """What the next sample is drawn for: the incumbent, and the code that came before it."""

    revision: str  # the incumbent's, sha256
    lineage: tuple[str, ...]  # sha256 of each revision on the way to the incumbent's, which is the last
    values: Mapping[str, KnobValue]  # the incumbent's
    knobs: Mapping[str, Mapping[str, Knob]]  # of each revision in the lineage and the history, by its sha256
    context: int  # tokens a row: total_batch_size must be a multiple of device_batch_size times this

    @cached_property
    def axes(self) -> Mapping[str, Axis]:
        """The knobs that a sample needs a value for, as axes, in their order."""
        return {name: Axis(knob) for name, knob in self.knobs[self.revision].items()}


def observed(trial: TrialRecord, system_attrs: Mapping[str, Any] | None = None) -> Observation:
    """A row of our table of trials, with the system attributes of its proposal, as a sampler sees it.

    A sample that ran out of memory counts as pruned. Any other failure says nothing about the knobs, an edit's above all.
    """
    out_of_memory = trial.status is Status.OOM
    report = trial.result.get("last_report")
    return Observation(
        number=trial.number,
        kind=trial.kind,
        revision=trial.revision,
        values=trial.values,
        state=_state(trial),
        val_bpb=trial.val_bpb,
        parent=trial.parent,
        last=None if report is None else (int(report[0]), float(report[1])),
        vram_excess_gib=_UNKNOWN_EXCESS if out_of_memory else None,
        system_attrs={} if system_attrs is None else dict(system_attrs),
    )


def _state(trial: TrialRecord) -> State:
    match trial.status:
        case Status.CLAIMED | Status.RUNNING:
            return "running"
        case Status.PRUNED:
            return "pruned"
        case Status.OOM if trial.kind is Kind.SAMPLE:
            return "pruned"
        case status if status in (*SCORED, Status.JUDGED):
            return "complete"
    return "fail"
