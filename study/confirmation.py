"""The end of a night: the incumbent and the baseline once more, on seeds that the search has not seen.

The incumbent is the best of many noisy trials, so its own score flatters it. Fresh runs of both, paired by seed, say what
the night was worth; their models are also the only ones that are scored on the locked test split.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .edits import defaults_of
from .records import OPEN, ConfirmationKey, Incumbent, Kind, Proposal
from .schedule import Schedule
from .settings import StudySettings
from .storage.leases import Phase
from .storage.ledger import Ledger
from .watch import Watch
from .worker import Worker

# Far from the seeds of the baseline's repeats, which count up from the study's own.
_FIRST_SEED = 1000
_LOOK_AGAIN_SECONDS = 1.0


def confirm(
    ledger: Ledger,
    settings: StudySettings,
    worker: Worker,
    schedule: Schedule,
    run: str,
    watch: Watch,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run what confirmation is still missing, together with the run's other workers; says why where it cannot be."""
    while any(lease.run == run and lease.phase is Phase.SEARCH for lease in ledger.live_leases()):
        worker.reconcile()
        sleep(_LOOK_AGAIN_SECONDS)
    incumbent = ledger.incumbent()
    if incumbent is None or incumbent.version == 0:
        return
    if any(lease.phase is Phase.SEARCH for lease in ledger.live_leases()):
        watch.note("other workers go on with the search: the last of them confirms the result")
        return
    repeats = schedule.repeats(ledger.history())
    if not repeats and schedule.confirm:
        watch.note("the time was too short to confirm the result on fresh seeds")
    _propose(ledger, settings, incumbent, repeats)
    _run_all(ledger, incumbent, worker, schedule, watch, sleep)


def _propose(ledger: Ledger, settings: StudySettings, incumbent: Incumbent, repeats: int) -> None:
    """In pairs, so that a machine whose speed drifts treats both alike."""
    first = ledger.revisions()[0]
    subjects = {"baseline": (first.sha256, defaults_of(first)), "incumbent": (incumbent.revision, incumbent.values)}
    for index in range(repeats):
        for role in ConfirmationKey.ROLES:
            revision, values = subjects[role]
            ledger.propose(
                Proposal(
                    key=str(ConfirmationKey(incumbent.version, role, index)),
                    kind=Kind.CONFIRM,
                    revision=revision,
                    values=values,
                    seed=settings.seed + _FIRST_SEED + index,
                    incumbent_version=incumbent.version,
                    parent=incumbent.number if role == "incumbent" else None,
                    title=f"{role} again, seed {settings.seed + _FIRST_SEED + index}",
                )
            )


def _run_all(
    ledger: Ledger,
    incumbent: Incumbent,
    worker: Worker,
    schedule: Schedule,
    watch: Watch,
    sleep: Callable[[float], None],
) -> None:
    ours = f"confirm:v{incumbent.version}:"
    while True:
        worker.reconcile()
        history = ledger.history()
        waiting = [
            (identity, proposal)
            for identity, proposal in ledger.ready(incumbent.version)
            if proposal.key.startswith(ours)
        ]
        if waiting and not schedule.time_to_confirm(_missing_of_pair(waiting), history):
            watch.note(f"the time is up: {len(waiting)} of the runs that confirm the result are missing")
            return
        if waiting:
            worker.claim_and_run(*waiting[0], schedule)
        elif any(trial.key.startswith(ours) and trial.status in OPEN for trial in history):
            sleep(_LOOK_AGAIN_SECONDS)  # another worker has the last ones
        else:
            return


def _missing_of_pair(waiting: Sequence[tuple[int, Proposal]]) -> int:
    """How many of the next run's pair have not begun: one half without the other is worth nothing."""
    keys = [ConfirmationKey.parse(proposal.key) for _, proposal in waiting]
    return sum(key is not None and keys[0] is not None and key.index == keys[0].index for key in keys)
