"""What the runs on fresh seeds say: the incumbent against the baseline, on the validation and on the test split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..records import ConfirmationKey, Status, TrialRecord
from ..search.noise import Gain, paired_gain

_FAILED = (Status.CRASH, Status.OOM, Status.OVER_BUDGET, Status.CHEAT)


class Verdict(StrEnum):
    """What may be claimed."""

    REAL = "real"
    IN_DOUBT = "in doubt"  # the two splits do not agree
    NOISE = "within the noise"
    NO_GAIN = "no gain"
    UNDECIDED = "undecided"  # too few runs


@dataclass(frozen=True)
class Confirmation:
    """The confirmation of one incumbent."""

    version: int  # of the incumbent
    wanted: int  # pairs of runs, one on each fresh seed
    pairs: int  # of which both runs have a score
    failed: int  # of which a run failed, so that it will have none
    val: Gain | None
    test: Gain | None

    @property
    def missing(self) -> int:
        """Pairs that can still be run."""
        return self.wanted - self.pairs - self.failed

    @property
    def verdict(self) -> Verdict:
        """What the gains allow to claim. A gain must show on both splits: the search has seen one of them too often."""
        if self.val is None or self.test is None or self.val.standard_error is None or self.test.standard_error is None:
            return Verdict.UNDECIDED
        if self.val.real and self.test.real:
            return Verdict.REAL
        if self.val.real or self.test.real:
            return Verdict.IN_DOUBT
        return Verdict.NO_GAIN if self.val.mean <= 0 and self.test.mean <= 0 else Verdict.NOISE


def confirmations(history: Iterable[TrialRecord]) -> tuple[Confirmation, ...]:
    """One for each incumbent that a confirmation was begun of, by version."""
    runs: dict[int, dict[int, dict[str, TrialRecord]]] = {}
    for trial in history:
        key = ConfirmationKey.parse(trial.key)
        if key is not None:
            pair = runs.setdefault(key.version, {}).setdefault(key.index, {})
            # One that was interrupted may have been run again.
            if trial.status is Status.MEASURED or key.role not in pair:
                pair[key.role] = trial
    return tuple(_confirmation(version, list(pairs.values())) for version, pairs in sorted(runs.items()))


def _confirmation(version: int, runs: Sequence[dict[str, TrialRecord]]) -> Confirmation:
    complete = [
        (pair["baseline"], pair["incumbent"])
        for pair in runs
        if len(pair) == 2 and all(trial.status is Status.MEASURED for trial in pair.values())
    ]
    return Confirmation(
        version=version,
        wanted=len(runs),
        pairs=len(complete),
        failed=sum(any(trial.status in _FAILED for trial in pair.values()) for pair in runs),
        val=_gain([(baseline.val_bpb, incumbent.val_bpb) for baseline, incumbent in complete]),
        test=_gain([(baseline.test_bpb, incumbent.test_bpb) for baseline, incumbent in complete]),
    )


def _gain(pairs: Iterable[tuple[float | None, float | None]]) -> Gain | None:
    scored = [(before, after) for before, after in pairs if before is not None and after is not None]
    return paired_gain([before for before, _ in scored], [after for _, after in scored]) if scored else None
