"""The flags that the study commands share, in the manner of Optuna's command line, and how their results are printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import click
import yaml

from autoresearch.study.artifacts import artifact_folder
from autoresearch.study.report.figures import one_line
from autoresearch.study.report.table import table
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

DEFAULT_STORAGE = "sqlite:///autoresearch.db"

Command = Callable[..., Any]
Format = Callable[[Any], str]


def storage_option(command: Command) -> Command:
    """Add `--storage`, else `OPTUNA_STORAGE`, else a SQLite file in the working directory."""
    return click.option(
        "--storage",
        metavar="URL",
        envvar="OPTUNA_STORAGE",
        default=DEFAULT_STORAGE,
        show_default=True,
        help="sqlite:///FILE or postgresql://HOST/DATABASE; also read from OPTUNA_STORAGE.",
    )(command)


def study_name_option(command: Command) -> Command:
    """Add `--study-name`."""
    return click.option("--study-name", metavar="NAME", help="Needed where the database holds several.")(command)


def format_option(command: Command) -> Command:
    """Add `-f/--format`."""
    return click.option(
        "-f",
        "--format",
        "form",
        type=click.Choice(["table", "json", "yaml", "value"]),
        default="table",
        show_default=True,
        help="For people; or for programs, value being tab-separated without a header.",
    )(command)


def open_ledger(storage: str, study_name: str | None) -> Ledger:
    """The ledger of a study that exists."""
    database = opened(storage, create=False)
    return Ledger(database, open_study(database, study_name))


def opened(storage: str, *, create: bool) -> Database:
    """A database, closed when the command ends; with `create` made where there is none."""
    database = Database.open(storage, create=create)
    click.get_current_context().call_on_close(database.close)
    return database


def confirm_command(storage: str, ledger: Ledger) -> str:
    """The command that runs nothing but what confirmation the incumbent is missing."""
    known = storage in (DEFAULT_STORAGE, os.environ.get("OPTUNA_STORAGE"))
    where = "" if known else f" --storage {_quoted(storage)}"
    last = next((run.options.get("workers", 1) for run in reversed(ledger.runs())), 1)
    workers = f" --workers {last}" if last > 1 else ""
    return f"autoresearch study optimize{where} --study-name {shlex.quote(ledger.study.name)}{workers} --trials 0"


def dashboard_command(storage: str) -> str:
    """The command that shows the study in a browser, the files of this machine's trials included."""
    return f"optuna-dashboard {_quoted(storage)} --artifact-dir {shlex.quote(str(artifact_folder()))}"


def _quoted(storage: str) -> str:
    """A storage as a shell takes it, without its password, which is nobody's business."""
    return shlex.quote(re.sub(r"(//[^:/@]*):[^@]*@", r"\1:…@", storage))


def print_records(
    records: Sequence[Mapping[str, Any]],
    form: str,
    *,
    formats: Mapping[str, Format] | None = None,
    words: Collection[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Print rows that share their columns: a table for people; JSON, YAML or tab-separated values for programs.

    Args:
        records: The rows.
        form: table, json, yaml or value.
        formats: How a column is written in the table; as `str` has it by default, None as nothing.
        words: The columns that may be cut in the table.
        optional: The columns that a narrow terminal's table leaves out, the first one first.
    """
    if form == "value":
        for record in records:
            click.echo("\t".join(_value(value) for value in record.values()))
    elif form != "table":
        _print_data(list(records), form)
    elif records:
        styles = formats or {}
        cells = [{name: _cell(value, styles.get(name, str)) for name, value in record.items()} for record in records]
        left = {name for name in records[0] if any(isinstance(record[name], str) for record in records)}
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for row in table(cells, width, left=left, words=words, optional=optional):
            click.echo(row)


def print_record(record: Mapping[str, Any], form: str, lines: Callable[[], Sequence[str]]) -> None:
    """Print one thing: lines for people; JSON, YAML, or a name and a value a line for programs."""
    if form == "table":
        click.echo("\n".join(lines()))
    elif form == "value":
        for name, value in _flat(record):
            click.echo(f"{name}\t{_value(value)}")
    else:
        _print_data(record, form)


def _print_data(data: Any, form: str) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if form == "json":
        click.echo(text)
    else:  # by way of JSON: YAML would not know our enumerations
        click.echo(yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True), nl=False)


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _value(value: Any) -> str:
    """A value without tabs and line ends: what has them, or is a list, is written as JSON."""
    if value is None:
        return ""
    text = str(value)
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, int | float | str) or _breaks(text) else text


def _breaks(text: str) -> bool:
    return any(letter in text for letter in "\t\n\r")


def _cell(value: Any, style: Format) -> str:
    return "" if value is None else one_line(style(value))
