"""`autoresearch doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict

import click

from autoresearch.errors import InputError
from autoresearch.study.report.figures import one_line
from autoresearch.study.report.text import line

from .study.options import format_option, print_record, storage_option

_WIDTH, _INDENT = 120, 12


@click.command()
@storage_option
@click.option("--device", metavar="KIND", help="cuda, mps or cpu.  [default: the best there is]")
@format_option
def doctor(storage: str, device: str | None, form: str) -> None:
    """Say what this machine can do: device, compiler, sandbox, disk, data, database, and the time that a trial takes.

    Each sandbox is tried: a process in it tries what a trial must not be able to do. That, and the compiler, take a minute
    or so. The exit code is 0 if a night with edits could run here, else 1, and the last line says what to do. No key is shown.
    """
    if sys.platform == "win32":
        raise InputError("a study runs each trial in a process of its own, which needs Linux or macOS, not Windows")
    from autoresearch.study.doctor import examine, verdict

    findings = []
    for finding in examine(storage, device):
        findings.append(finding)
        if form == "table":
            click.echo(_wrapped(finding.check, one_line(finding.says)))
    if form == "table":
        click.echo(_wrapped("verdict", verdict(findings)))
    else:
        fine = all(finding.fine for finding in findings)
        print_record(
            {"fine": fine, "verdict": verdict(findings), "checks": [asdict(each) for each in findings]}, form, list
        )
    sys.exit(not all(finding.fine for finding in findings))


def _wrapped(name: str, what: str) -> str:
    return textwrap.fill(line(name, what), _WIDTH, subsequent_indent=" " * _INDENT, break_on_hyphens=False)
