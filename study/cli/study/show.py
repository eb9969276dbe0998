"""`autoresearch study show`: all there is to know of one trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from autoresearch.study.editors.blocks import diff
from autoresearch.study.records import Kind, RequestRecord, Revision, TrialRecord, first_key
from autoresearch.study.report.coloured import coloured
from autoresearch.study.report.described import tried
from autoresearch.study.report.figures import (
    bpb,
    changed_values,
    duration,
    memory_gib_of,
    one_line,
    printable,
    seconds_of,
    signed,
    usd,
)
from autoresearch.study.report.named import trial_named
from autoresearch.study.report.speed import odd_speeds
from autoresearch.study.report.spending import spent_usd
from autoresearch.study.report.text import line
from autoresearch.study.report.values import values_lines
from autoresearch.study.storage.ledger import Ledger

from .options import format_option, open_ledger, print_record, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@click.argument("trial")
@format_option
def show(storage: str, study_name: str | None, trial: str, form: str) -> None:
    """Show one TRIAL: what it tried, its figures, its values and code beside its parent's, and why it ended as it did.

    TRIAL is a number, or best, or baseline.

    \b
    autoresearch study show 17
    autoresearch study show best -f json
    """
    ledger = open_ledger(storage, study_name)
    found = trial_named(ledger, trial)
    revision = ledger.revision(found.revision)
    parent = None if found.parent is None else ledger.trial(found.parent)
    changes = _changes(ledger, revision, parent)
    off = odd_speeds(ledger.history(), {one.sha256: one for one in ledger.revisions()}).get(found.number)
    requests = _requests(ledger, found)
    record = {
        **asdict(found),
        "speed_off": off,
        "hypothesis": revision.hypothesis if found.kind is Kind.EDIT else "",
        "editor": _editor(found),
        "requests": len(requests),
        "cost_usd": float(spent_usd(requests)),
        "changed": {} if parent is None else _pairs(changed_values(parent.values, found.values)),
        "diff": changes,
    }
    print_record(record, form, lambda: list(_lines(found, revision, parent, changes, off, requests)))


def _editor(trial: TrialRecord) -> str:
    """Who made an edit: its key begins with the name."""
    return trial.key.partition(":")[0] if trial.kind is Kind.EDIT else ""


def _requests(ledger: Ledger, trial: TrialRecord) -> Sequence[RequestRecord]:
    """The conversation with a model that an edit came of; its key ends with the draft."""
    draft = first_key(trial.key).partition(":")[2]
    return ledger.requests.conversation(draft) if trial.kind is Kind.EDIT else ()


def _asked(requests: Sequence[RequestRecord]) -> str:
    if not requests:
        return ""
    number = f"{len(requests)} request{'s' if len(requests) != 1 else ''}"
    return f", {number} to {requests[0].model}, {usd(spent_usd(requests))}"


def _changes(ledger: Ledger, revision: Revision, parent: TrialRecord | None) -> str:
    """The unified diff from the code of a trial's parent; empty where there is none."""
    if parent is None or parent.revision == revision.sha256:
        return ""
    before = ledger.revision(parent.revision)
    return diff(before.source, revision.source, f"{before.short}/train.py", f"{revision.short}/train.py")


def _pairs(changes: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: {"parent": before, "trial": after} for name, (before, after) in changes.items()}


def _lines(
    trial: TrialRecord,
    revision: Revision,
    parent: TrialRecord | None,
    changes: str,
    speed_off: float | None,
    requests: Sequence[RequestRecord],
) -> Iterator[str]:
    yield line("trial", f"{trial.number}: {trial.kind}, {trial.status}")
    if trial.kind is Kind.EDIT:
        yield line("editor", _editor(trial) + _asked(requests))
    parents = {} if parent is None else {parent.number: parent}
    yield line("tried", tried(trial, parents))
    if trial.kind is Kind.EDIT and changes and revision.hypothesis:
        yield line("hypothesis", one_line(revision.hypothesis))
    if trial.reason:
        yield line("reason", one_line(trial.reason))
    yield line("revision", revision.short)
    if parent is not None:
        yield line("parent", f"trial {parent.number}, revision {parent.revision[:8]}, val_bpb {bpb(parent.val_bpb)}")
    yield line("seed", str(trial.seed))
    yield from _figures(trial, parent, speed_off)
    yield "values"
    whose = "" if parent is None else f"trial {parent.number}"
    yield from values_lines(trial.values, None if parent is None else parent.values, whose)
    if changes:
        yield "code"
        yield from coloured(changes)
    if trial.tail:
        yield "end of the log"
        yield from (f"  {text}" for text in printable(trial.tail).rstrip().split("\n"))


def _figures(trial: TrialRecord, parent: TrialRecord | None, speed_off: float | None) -> Iterator[str]:
    figures = trial.result
    if trial.val_bpb is not None:
        over = "" if parent is None or parent.val_bpb is None else f", gain {signed(parent.val_bpb - trial.val_bpb)}"
        yield line("val_bpb", f"{bpb(trial.val_bpb)}{over}{' over its parent' if over else ''}")
    if (other := figures.get("other_run")) is not None:
        seed, score = figures["seed"], other["val_bpb"]
        yield line(
            "run twice", f"that is seed {seed}'s; seed {other['seed']} reached {bpb(score)}: the worse one counts"
        )
    if trial.test_bpb is not None:
        yield line("test_bpb", bpb(trial.test_bpb))
    if (seconds := seconds_of(trial)) is not None:
        trained = figures.get("training_seconds")
        yield line("time", duration(seconds) + ("" if trained is None else f", {trained:.1f} s of it training"))
    if "steps" in figures and "tokens" in figures:
        speed = f", {figures['tokens_per_second']:,.0f} tokens/s" if "tokens_per_second" in figures else ""
        mfu = f", MFU {figures['mfu_percent']:.1f} %" if figures.get("mfu_percent") is not None else ""
        speed += "" if speed_off is None else f" ({speed_off:+.0%} against its like)"
        yield line("speed", f"{figures['steps']:,} steps, {figures['tokens']:,} tokens{speed}{mfu}")
    if (memory := memory_gib_of(trial)) is not None:
        yield line("memory", f"{memory:.2f} GiB")
    if "parameters" in figures:
        yield line("parameters", f"{figures['parameters']:,}")
    if "last_report" in figures:
        percent, loss = figures["last_report"]
        yield line("stopped at", f"{percent} % of the budget, {loss:.4f} bits a byte in training")
