"""How hard a trial is looked at: by what may be rounding on this machine, and by how much it would gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from autoresearch.device import Device
from autoresearch.judge import Probing, tolerance_for

from .noise import sigma_of
from .records import SEARCH_KINDS, Incumbent, Kind, Status, TrialRecord

_TIMES_THE_BASELINE = 8.0  # that two answers may differ, if the baseline's do
_PART_OF_ROUNDING = 0.1  # where the baseline's do not differ at all
_IMPLAUSIBLE_SIGMAS = 6.0


def probing_of(
    trial: TrialRecord, history: Sequence[TrialRecord], incumbent: Incumbent | None, threshold: float, device: Device
) -> Probing:
    """How thoroughly to probe a trial: all rows of one that would be promoted, or that confirms; some of any other's."""
    probing = Probing(_tolerance(history, device))
    if trial.kind is Kind.CONFIRM:
        return replace(probing, thorough_below=math.inf)
    if trial.kind in SEARCH_KINDS and incumbent is not None:
        return replace(probing, thorough_below=incumbent.val_bpb - threshold)
    return probing


def implausible_gain(history: Sequence[TrialRecord], max_gain: float | None) -> float:
    """The gain over which a score is not believed before it was reached twice; infinite where nothing is known."""
    if max_gain is not None:
        return max_gain
    sigma = sigma_of(history)
    return math.inf if sigma is None else _IMPLAUSIBLE_SIGMAS * sigma


def _tolerance(history: Sequence[TrialRecord], device: Device) -> float:
    """What the baseline's own answers differed by, on this device and in this precision, says what is rounding."""
    seen = [
        trial.result["probe_difference"]
        for trial in history
        if trial.kind is Kind.BASELINE and trial.status is Status.MEASURED and "probe_difference" in trial.result
    ]
    rounding = tolerance_for(device)
    return max(_PART_OF_ROUNDING * rounding, _TIMES_THE_BASELINE * max(seen)) if seen else rounding
