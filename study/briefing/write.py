"""A briefing from a study's database: the same text for the same database, and never longer than `MAX_BYTES`.

It comes in three parts, so that a provider can keep at hand what was sent before: one that stays the same all night, one that
stays until the next promotion, and what changes with every trial.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoresearch.device import Device
from autoresearch.isolation.limits import Limits
from autoresearch.static_check.source_limits import MAX_BYTES as MAX_SOURCE_BYTES

from ..editors.editor import Briefing
from ..report.figures import bpb
from ..settings import StudySettings
from ..storage.ledger import Ledger
from .code import KNOBS_BYTES, code
from .importance import importance_lines
from .program import MAX_PROGRAM_BYTES, Program
from .quoting import quoted, size
from .rules import allowances, contract, how_to_read, machine
from .snapshot import Snapshot, take
from .standing import STANDING_BYTES, standing
from .tried import KEPT_BYTES, NEAR_BYTES, PENDING_BYTES, RECENT_BYTES, parts

MAX_FORMAT_BYTES = 6_000  # of the text that says how to answer
MAX_LESSONS_BYTES = 2_000
_LESSONS_ROOM = 3_000  # quoted: a mark a line
_RULES_ROOM = 16_000  # the contract and the machine: our own words, and the tables of the static check
_CHANGING_ROOM = STANDING_BYTES + KEPT_BYTES + NEAR_BYTES + RECENT_BYTES + PENDING_BYTES + _LESSONS_ROOM
_REST_ROOM = 7_000  # headings, importances, the request
AROUND_SOURCE = MAX_PROGRAM_BYTES + MAX_FORMAT_BYTES + _RULES_ROOM + KNOBS_BYTES + _CHANGING_ROOM + _REST_ROOM
# Of a whole briefing: what stands around train.py, and a train.py as large as the static check lets it be.
MAX_BYTES = AROUND_SOURCE + MAX_SOURCE_BYTES


def write_briefing(
    ledger: Ledger,
    settings: StudySettings,
    program: Program,
    device: Device,
    *,
    answer_format: str,
    lessons: str = "",
    limits: Limits | None = None,
    min_delta: float | None = None,
    max_gain: float | None = None,
) -> Briefing:
    """What a language model is told before it proposes an edit of the incumbent.

    Args:
        ledger: The study's.
        settings: The study's.
        program: The human's instructions.
        device: Where the trials run.
        answer_format: How to answer; at most `MAX_FORMAT_BYTES`.
        lessons: The scratchpad.
        limits: How long the parts of a trial may take; by default the supervisor's own defaults.
        min_delta: The gain that is kept, where it is the user's and not the noise.
        max_gain: The gain that must be reached twice, where it is the user's.

    Raises:
        StudyError: There is nothing to edit yet: no baseline run has a score.
    """
    if size(answer_format) > MAX_FORMAT_BYTES:
        raise ValueError(f"the answer format has {size(answer_format)} bytes, at most {MAX_FORMAT_BYTES} are allowed")
    snapshot = take(ledger, settings, min_delta, max_gain)
    return Briefing(
        stable=_stable(settings, program, device, answer_format),
        source=code(snapshot.incumbent, snapshot.code),
        changing=joined(
            [*what_changes(snapshot, lessons), _request(snapshot, allowances(settings, limits or Limits()))]
        ),
        program=program.sha256,
    )


def what_changes(snapshot: Snapshot, lessons: str) -> list[Sequence[str]]:
    """The sections about the trials so far, the scratchpad last."""
    return [[standing(snapshot)], importance_lines(snapshot), *parts(snapshot), _scratchpad(lessons)]


def _stable(settings: StudySettings, program: Program, device: Device, answer_format: str) -> str:
    sections = [
        program.text.strip(),
        how_to_read(),
        contract(),
        machine(settings, device),
        f"# How to answer\n\n{answer_format.strip()}",
    ]
    return "\n\n".join(sections) + "\n"


def _scratchpad(lessons: str) -> list[str]:
    if not lessons.strip():
        return []
    return ["# Notes on the study so far, by whoever edited before you", "", quoted(lessons.strip(), _LESSONS_ROOM)]


def _request(snapshot: Snapshot, allowed: str) -> list[str]:
    bar = "" if snapshot.threshold is None else f" by more than {bpb(snapshot.threshold)}"
    return [
        "# Your turn",
        "",
        f"Propose the next edit of train.py as it stands above: one idea that you expect to lower val_bpb{bar} within the same",
        "budget on this machine. Not one that is under way, nor one that was tried, unless you say what makes it different now.",
        allowed,
        "Answer as it says under How to answer, and with nothing else.",
    ]


def joined(sections: Sequence[Sequence[str]]) -> str:
    """One text of the sections that have something to say."""
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"
