"""What was tried and what came of it: what was kept, what came near, the last trials with their errors, what is under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..editors.blocks import diff
from ..records import Kind, Status, TrialRecord
from ..report.described import shortened, tried
from ..report.figures import bpb, one_line, signed
from .quoting import fitted, phrase, quoted, size
from .snapshot import Snapshot
from .standing import figures

KEPT_BYTES, NEAR_BYTES, RECENT_BYTES, PENDING_BYTES = 11_000, 4_000, 14_000, 1_500
RECENT = 20  # trials
_NEAR = 3  # edits that were not kept
_DIFF_BYTES, _LESSER_DIFF_BYTES, _TAIL_BYTES = 3_000, 1_100, 1_600
_LEAST_BYTES = 200  # less of a traceback says nothing
_TITLE, _CHANGES, _HYPOTHESIS, _REASON = 160, 300, 300, 300  # characters


def kept(snapshot: Snapshot) -> list[str]:
    """The promotions, newest first, with the code that they changed."""
    steps = snapshot.summary.steps[::-1]
    parts = []
    left, with_code = KEPT_BYTES, True
    for step in steps:
        trial = snapshot.trials[step.number]
        score = f"val_bpb {bpb(step.val_bpb)}, gain {signed(step.gain)}"
        part = f"\nVersion {step.version}, trial {step.number}, {_what(trial, snapshot)}: {score}."
        if with_code:
            whole = "\n".join([part, *_details(trial, snapshot, _DIFF_BYTES)])
            with_code = size(whole) < left
            part = whole if with_code else part
        if size(part) >= left:
            break
        parts.append(part)
        left -= size(part) + 1
    if not parts:
        return []
    older = len(steps) - len(parts)
    note = [f"\n({older} older ones left out)"] if older else []
    return ["# What was kept, newest first; each is built on the one before it", *parts, *note]


def near_misses(snapshot: Snapshot) -> list[str]:
    """The edits that gained most of those that were not kept."""
    dropped = [trial for trial in snapshot.finished if trial.kind is Kind.EDIT and trial.status is Status.DISCARD]
    gains = {trial.number: gain for trial in dropped if (gain := _gain(trial, snapshot)) is not None}
    best = sorted(gains, key=lambda number: (-gains[number], -number))[:_NEAR]
    parts = []
    for number in best:
        trial = snapshot.trials[number]
        score = f"val_bpb {bpb(trial.val_bpb)}, gain {signed(gains[number])} over trial {trial.parent}"
        head = f"\nTrial {number}, {_what(trial, snapshot)}: {score}."
        parts.append("\n".join([head, *_details(trial, snapshot, _LESSER_DIFF_BYTES)]))
    parts, _ = fitted(parts, NEAR_BYTES)
    return ["# Edits that were dropped but came nearest to being kept", *parts] if parts else []


def recent(snapshot: Snapshot) -> list[str]:
    """The last trials, newest first; the newest failures with the end of their log, as far as there is room."""
    finished = snapshot.finished
    last = finished[: -RECENT - 1 : -1]
    heads, whole = fitted([_outcome(trial, snapshot) for trial in last], RECENT_BYTES)
    left = RECENT_BYTES - sum(size(head) + 1 for head in heads)
    lines = []
    for head, trial in zip(heads, last, strict=False):
        lines.append(head)
        if trial.val_bpb is None:
            more, left = _why(trial, snapshot, left)
            lines += more
    if not lines:
        return []
    shown = "all" if whole and len(finished) <= RECENT else f"the last {len(heads)}"
    return [f"# What was tried: {shown} of {len(finished)} trials, newest first", "", *lines]


def pending(snapshot: Snapshot) -> list[str]:
    """Edits of which the outcome is not known yet, this worker's and the others'."""
    running = [f"- trial {trial.number} runs: {phrase(trial.title, _TITLE)}" for trial in snapshot.running_edits]
    waiting = [f"- waits: {phrase(proposal.title, _TITLE)}" for proposal in snapshot.waiting]
    lines, _ = fitted([*running, *waiting], PENDING_BYTES)
    return ["# Edits under way: propose none of them again", "", *lines] if lines else []


def _outcome(trial: TrialRecord, snapshot: Snapshot) -> str:
    """A trial in one line, or where it failed in two: why is the word of code that nobody trusts."""
    on = "" if trial.parent is None else f" on trial {trial.parent}"
    head = f"Trial {trial.number}, {_what(trial, snapshot)}{on}: {trial.status}"
    if trial.val_bpb is None:
        lines = [f"{head}."]
        if trial.reason:
            lines.append(quoted(one_line(trial.reason[: 4 * _REASON]), 4 * _REASON))
        return "\n".join(lines)
    gain = _gain(trial, snapshot)
    over = "" if gain is None else f", gain {signed(gain)}"
    return f"{head}, val_bpb {bpb(trial.val_bpb)}{over}, {figures(trial)}."


def _why(trial: TrialRecord, snapshot: Snapshot, left: int) -> tuple[list[str], int]:
    """The end of a failure's log, and of an edit what it changed, so that a slip can be put right; and the room left."""
    lines = []
    if trial.tail.strip() and left >= _LEAST_BYTES:
        lines.append(quoted(trial.tail, min(left, _TAIL_BYTES) - 1))
        left -= size(lines[-1]) + 1
    details = "\n".join(_details(trial, snapshot, _LESSER_DIFF_BYTES))
    if details and size(details) < left:
        lines.append(details)
        left -= size(details) + 1
    return lines, left


def _what(trial: TrialRecord, snapshot: Snapshot) -> str:
    if trial.kind is Kind.SAMPLE:
        return f"sample {shortened(one_line(tried(trial, snapshot.trials)), _CHANGES)}"
    return f"{trial.kind} {phrase(trial.title, _TITLE)}"


def _details(trial: TrialRecord, snapshot: Snapshot, room: int) -> Iterator[str]:
    """Of an edit: what it was hoped to do, and the diff of what it changed."""
    revision = snapshot.revisions[trial.revision]
    parent = None if trial.parent is None else snapshot.trials[trial.parent]
    if trial.kind is not Kind.EDIT or parent is None or parent.revision == revision.sha256:
        return
    if revision.hypothesis.strip():
        yield f"Hypothesis: {phrase(revision.hypothesis, _HYPOTHESIS)}"
    before = snapshot.revisions[parent.revision]
    yield quoted(diff(before.source, revision.source, before.short, revision.short), room)


def _gain(trial: TrialRecord, snapshot: Snapshot) -> float | None:
    """Over the incumbent that the trial was made from."""
    parent = None if trial.parent is None else snapshot.trials.get(trial.parent)
    if parent is None or parent.val_bpb is None or trial.val_bpb is None:
        return None
    return parent.val_bpb - trial.val_bpb


def parts(snapshot: Snapshot) -> Sequence[list[str]]:
    """All of it."""
    return [kept(snapshot), near_misses(snapshot), recent(snapshot), pending(snapshot)]
