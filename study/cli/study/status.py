"""`autoresearch study status`: where the study stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from autoresearch.study.records import OPEN, TrialRecord
from autoresearch.study.report.figures import duration, one_line
from autoresearch.study.report.final import editor_lines, editor_record, summary_of
from autoresearch.study.report.summary import Summary
from autoresearch.study.report.text import line, summary_lines
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage import processes
from autoresearch.study.storage.leases import Lease
from autoresearch.study.storage.ledger import Ledger

from .options import confirm_command, format_option, open_ledger, print_record, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@format_option
def status(storage: str, study_name: str | None, form: str) -> None:
    """Say where the study stands: what it is bound to, what runs, what was found, and whether it can be believed.

    The noise σ is the standard deviation of val_bpb between seeds. A gain is confirmed by runs on seeds, and on a test
    split, that the search has not seen.
    """
    ledger = open_ledger(storage, study_name)
    settings = StudySettings.from_json(ledger.study.settings)
    summary, now = summary_of(ledger), ledger.now()
    leases, open_trials = ledger.live_leases(), [trial for trial in ledger.history() if trial.status in OPEN]
    print_record(
        _record(ledger, settings, summary, leases, open_trials, now),
        form,
        lambda: [
            line("study", one_line(ledger.study.name)),
            *_settings_lines(settings),
            *summary_lines(summary, confirm_command(storage, ledger)),
            *editor_lines(ledger),
            *_running(leases, open_trials, now),
        ],
    )


def _settings_lines(settings: StudySettings) -> Iterator[str]:
    compiled = "compiled" if settings.compiled else "not compiled"
    yield line("settings", f"preset {settings.preset}, {settings.budget} a trial, seed {settings.seed}, {compiled}")
    yield line("data", f"{settings.data}, fingerprint {settings.fingerprint[:12]}, context {settings.context}")
    yield line("machine", f"{settings.machine}, {settings.precision}, torch {settings.torch}")


def _running(leases: Sequence[Lease], trials: Sequence[TrialRecord], now: float) -> Iterator[str]:
    by_worker = {trial.worker: trial for trial in trials}
    label, here = "running", processes.host()
    for lease in leases:
        trial = by_worker.pop(lease.worker, None)
        what = "between trials" if trial is None else f"trial {trial.number} ({trial.kind}), {_since(trial, now)}"
        where = "on this machine" if lease.host == here else f"on {one_line(lease.host_name)}"
        yield line(label, f"{what}, by process {lease.pid} {where}")
        label = ""
    for trial in by_worker.values():
        yield line(label, f"trial {trial.number} ({trial.kind}): its worker is gone; the next optimize puts it right")
        label = ""


def _since(trial: TrialRecord, now: float) -> str:
    return f"for {duration(max(0.0, now - trial.created_at))}"


def _record(
    ledger: Ledger,
    settings: StudySettings,
    summary: Summary,
    leases: Sequence[Lease],
    trials: Sequence[TrialRecord],
    now: float,
) -> dict[str, Any]:
    confirmation = summary.confirmation
    confirmed = None if confirmation is None else asdict(confirmation) | {"verdict": confirmation.verdict}
    by_worker = {trial.worker: trial.number for trial in trials}
    return {
        "study": ledger.study.name,
        "settings": settings.as_json(),
        **asdict(summary),
        "confirmation": confirmed,
        **editor_record(ledger),
        "workers": [
            {
                "host": lease.host_name,
                "here": lease.host == processes.host(),
                "pid": lease.pid,
                "phase": lease.phase,
                "trial": by_worker.get(lease.worker),
            }
            for lease in leases
        ],
        "open_trials": [{"number": trial.number, "seconds": now - trial.created_at} for trial in trials],
    }
