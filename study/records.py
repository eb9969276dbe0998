"""What the study's parts hand to each other: frozen records, and the words for a trial's kind and state."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from autoresearch.knobs import Knob, KnobValue


class Kind(StrEnum):
    """Why a trial was run."""

    BASELINE = "baseline"  # revision 0 with its defaults; the repeats give the noise
    SAMPLE = "sample"  # the incumbent's code, other knob values
    EDIT = "edit"  # other code, the incumbent's knob values
    CONFIRM = "confirm"  # the incumbent or the baseline again on a fresh seed, after the search


SEARCH_KINDS = (Kind.SAMPLE, Kind.EDIT)


class Status(StrEnum):
    """Where a trial stands. Each is written before the act that it names."""

    CLAIMED = "claimed"  # a worker has taken it
    RUNNING = "running"  # its process is about to be started
    JUDGED = "judged"  # val_bpb is known; what follows from it is not decided
    KEEP = "keep"  # promoted: it became the incumbent
    DISCARD = "discard"  # judged, no better than the incumbent
    MEASURED = "measured"  # a baseline or confirmation run, judged
    PRUNED = "pruned"  # a sample stopped early: worse than its like, or diverged
    CRASH = "crash"  # the edit did not apply, or its code failed or diverged
    OOM = "oom"  # out of memory
    OVER_BUDGET = "over_budget"  # overstayed and was killed
    CHEAT = "cheat"  # failed a probe of the judge
    INTERRUPTED = "interrupted"  # by the user, or its worker died


def first_key(key: str) -> str:
    """The key under which an edit was first proposed: one that is tried again, on another incumbent, has more behind an @."""
    return key.partition("@")[0]


OPEN = (Status.CLAIMED, Status.RUNNING, Status.JUDGED)
SCORED = (Status.KEEP, Status.DISCARD, Status.MEASURED)


@dataclass(frozen=True)
class ConfirmationKey:
    """The key of a run that confirms an incumbent; equal indices are equal seeds."""

    version: int  # of the incumbent
    role: str  # one of ROLES
    index: int

    ROLES = ("baseline", "incumbent")

    def __str__(self) -> str:
        return f"confirm:v{self.version}:{self.role}:{self.index}"

    @classmethod
    def parse(cls, key: str) -> Self | None:
        """Read a proposal's key; None if it is another kind's."""
        found = re.fullmatch(r"confirm:v(\d+):(baseline|incumbent):(\d+)", key)
        return found and cls(int(found[1]), found[2], int(found[3]))


@dataclass(frozen=True)
class Block:
    """One replacement in a text: `search` must occur exactly once."""

    search: str
    replace: str


@dataclass(frozen=True)
class Edit:
    """What an editor proposes: replacements in the incumbent's `train.py`."""

    key: str  # says which edit this is, so that none is proposed twice: unique in a study
    title: str
    hypothesis: str
    blocks: tuple[Block, ...]
    program: str = ""  # sha256 of the instructions that the editor was given; none where there were none
    error: str = ""  # why the editor gave it up, after all its attempts; such an edit is recorded and not run


@dataclass(frozen=True)
class Revision:
    """One immutable text of `train.py`."""

    sha256: str
    source: str
    knobs: Mapping[str, Knob]
    parent: str | None = None  # sha256
    title: str = ""
    hypothesis: str = ""
    blocks: tuple[Block, ...] = ()  # what was replaced in the parent's text
    editor: str = ""
    program: str = ""  # sha256 of the instructions that its editor was given

    @property
    def short(self) -> str:
        """The first eight digits, as people see it."""
        return self.sha256[:8]


@dataclass(frozen=True)
class Proposal:
    """A trial that has been decided on and waits for a worker."""

    key: str  # unique in a study: two workers that think of the same one end up with one
    kind: Kind
    revision: str  # sha256; of an edit that failed before it became one, its parent's
    values: Mapping[str, KnobValue]
    seed: int
    incumbent_version: int  # that it was made for; -1 before there is an incumbent
    parent: int | None = None  # number of the incumbent's trial
    title: str = ""
    system_attrs: Mapping[str, Any] = field(default_factory=dict)  # what Optuna's sampler wants to find again
    edit: Edit | None = None
    error: str = ""  # why the edit could not be made into a revision


@dataclass(frozen=True)
class TrialRecord:
    """One row of our table of trials."""

    number: int  # Optuna's
    kind: Kind
    status: Status
    revision: str
    values: Mapping[str, KnobValue]
    seed: int
    parent: int | None
    incumbent_version: int
    title: str
    key: str  # of its proposal
    worker: str
    run: str
    reason: str = ""  # one line: why it failed, or why it was kept or not
    tail: str = ""  # the end of its log or traceback
    lost_race: bool = False  # it beat the incumbent that it was made for, but not the one that it found
    val_bpb: float | None = None
    test_bpb: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)  # the fields of TrialResult
    created_at: float = 0.0  # seconds since the epoch by the database's clock
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True)
class Incumbent:
    """What the next trials build on."""

    version: int  # 0 is the baseline
    number: int  # of the trial that it was measured in
    revision: str
    values: Mapping[str, KnobValue]
    val_bpb: float


@dataclass(frozen=True)
class Promotion:
    """One change of the incumbent; version 0 is the baseline's and has no predecessor."""

    version: int
    number: int
    val_bpb: float
    gain: float  # over the incumbent before it
    threshold: float  # that the gain had to exceed
    at: float


class Purpose(StrEnum):
    """What a language model was asked for."""

    EDIT = "edit"
    REPAIR = "repair"  # of an edit that did not apply, or failed a check
    WHOLE_FILE = "whole_file"  # where repairs did not help
    LESSONS = "lessons"  # what the trials so far have taught


class RequestState(StrEnum):
    """Where a request to a language model stands."""

    SENT = "sent"  # written before it is sent, with what it may cost at most
    ANSWERED = "answered"
    FAILED = "failed"
    LOST = "lost"  # its worker died before the answer was written down: it may have been paid for


@dataclass(frozen=True)
class RequestRecord:
    """One request to a language model. Whoever asks fills the fields down to `id`; the rest is the database's.

    It holds what was said and what it cost, and nothing of how it was carried: no header, no address, no key.
    """

    draft: str  # a uuid: the requests of one attempt at an edit, which are one conversation
    purpose: Purpose
    model: str
    program: str  # sha256 of the instructions that the model was given
    messages: Sequence[Mapping[str, Any]]
    reserved_usd: Decimal  # the most that it can cost; counts as spent until the cost is known
    worker: str  # who holds the draft
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    position: int = 0  # in its draft
    prompt_sha256: str = ""  # of the messages
    state: RequestState = RequestState.SENT
    used: bool = False  # what its draft led to is written down: a proposal, lessons, or that it was given up
    reply: str = ""
    stop_reason: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    cost_usd: Decimal | None = None  # None: not known, the reservation counts
    error: str = ""
    created_at: float = 0.0  # seconds since the epoch by the database's clock
    answered_at: float | None = None

    @property
    def spent_usd(self) -> Decimal:
        """What it counts for in the sum of all requests."""
        return self.reserved_usd if self.cost_usd is None else self.cost_usd


@dataclass(frozen=True)
class Lessons:
    """What a language model wrote down for itself about the trials that it had seen."""

    number: int
    text: str
    trials_seen: int
    created_at: float
