"""A trial's row in Optuna's tables: made at its claim, and at its end a projection of our row.

Everything that Optuna is told follows from our row, which stands first. So whoever tells it (the worker, or after its
death anybody, or two at once) tells the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from autoresearch.errors import KnobError

from ..records import SCORED, Proposal, Status
from . import revisions
from .books import Books
from .models import RevisionRow, TrialRow

CLAIM = "autoresearch:claim"  # system attributes that say, after a kill -9, what a trial without a row of ours is
KEY = "autoresearch:key"
WORKER = "autoresearch:worker"
RUN = "autoresearch:run"

_LONGEST = 100  # characters of a user attribute: the dashboard sends all of them with each poll


def template(row: RevisionRow, proposal: Proposal, marks: Mapping[str, str]) -> FrozenTrial:
    """The Optuna trial that a proposal becomes.

    Raises:
        KnobError: Its values are not exactly the revision's knobs, each in its range.
    """
    knobs = revisions.distributions_of(row)
    wrong = sorted(knobs.keys() ^ proposal.values.keys())
    if wrong:
        raise KnobError(f"proposal {proposal.key!r} and its revision {row.sha256[:8]} differ in knobs: {wrong}")
    parent = {} if proposal.parent is None else {"parent": proposal.parent}
    try:
        return create_trial(
            state=TrialState.RUNNING,
            params={knobs[name][0]: value for name, value in proposal.values.items()},
            distributions=dict(knobs.values()),
            user_attrs={
                "kind": str(proposal.kind),
                "revision": row.sha256[:8],
                **parent,
                "title": proposal.title[:_LONGEST],
                "status": str(Status.RUNNING),
            },
            system_attrs={**proposal.system_attrs, **marks},
        )
    except (ValueError, TypeError) as error:
        raise KnobError(f"proposal {proposal.key!r} has a value out of range: {error}") from error


def create(books: Books, row: RevisionRow, proposal: Proposal, claim: str, worker: str, run: str) -> int:
    """The number of the Optuna trial of a claim, which is made if it is not there yet."""
    for trial in running(books):
        if trial.system_attrs.get(CLAIM) == claim:
            return trial.number
    marks = {CLAIM: claim, KEY: proposal.key, WORKER: worker, RUN: run}
    trial_id = books.db.storage.create_new_trial(books.optuna_id, template(row, proposal, marks))
    return books.db.storage.get_trial_number_from_id(trial_id)


def running(books: Books) -> list[FrozenTrial]:
    """The study's trials that Optuna takes for running."""
    trials = books.db.storage.get_all_trials(books.optuna_id, deepcopy=False, states=(TrialState.RUNNING,))
    return sorted(trials, key=lambda trial: trial.number)


def report(books: Books, number: int, step: int, value: float) -> bool:
    """Hand an intermediate value to Optuna."""
    try:
        books.db.storage.set_trial_intermediate_value(_id_of(books, number), step, value)
    except UpdateFinishedTrialError:
        return False
    books.observe("report")
    return True


def should_prune(books: Books, number: int) -> bool:
    """Ask the study's pruner."""
    return books.optuna.pruner.prune(books.optuna, books.db.storage.get_trial(_id_of(books, number)))


def handle(books: Books, number: int) -> Trial:
    """Optuna's handle on a trial."""
    return Trial(books.optuna, _id_of(books, number))


def project(books: Books, number: int, point: str) -> bool:
    """Tell Optuna what our row of a finished trial says; False if it was told already."""
    with books.db.read() as session:
        row = session.get_one(TrialRow, (books.id, number))
    trial_id = _id_of(books, number)
    trial = books.db.storage.get_trial(trial_id)
    if trial.state.is_finished():
        return False
    try:
        for name, value in _attributes(row):
            books.db.storage.set_trial_user_attr(trial_id, name, value)
        if row.vram_excess_gib is not None and "vram_gib" not in trial.constraints:
            Trial(books.optuna, trial_id).set_constraint("vram_gib", row.vram_excess_gib)
        books.observe(f"{point}:attrs")
        _tell(books, row)
    except UpdateFinishedTrialError:  # somebody else told it at the same moment
        return False
    books.observe(f"{point}:told")
    return True


def _tell(books: Books, row: TrialRow) -> None:
    if row.status in SCORED:
        books.optuna.tell(row.number, row.val_bpb, skip_if_finished=True)
    else:
        state = TrialState.PRUNED if row.pruned else TrialState.FAIL
        books.optuna.tell(row.number, state=state, skip_if_finished=True)


def _attributes(row: TrialRow) -> Iterator[tuple[str, Any]]:
    """Few and short."""
    yield "status", row.status
    if (seconds := row.result.get("total_seconds")) is not None:
        yield "seconds", round(seconds, 1)
    if (memory := row.result.get("peak_memory_bytes")) is not None:
        yield "memory_gib", round(memory / 2**30, 2)
    if row.vram_excess_gib is not None:
        yield "vram_excess_gib", round(row.vram_excess_gib, 2)  # the dashboard does not read constraints
    if row.reason:
        yield "reason", row.reason[:_LONGEST]


def _id_of(books: Books, number: int) -> int:
    return books.db.storage.get_trial_id_from_study_id_trial_number(books.optuna_id, number)
