"""`autoresearch study delete`: a study with all that belongs to it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from autoresearch.errors import AutoresearchError, InputError, StorageError, StudyError
from autoresearch.study.artifacts import kept_files
from autoresearch.study.folders import Folders
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import delete_study, open_study

from .options import opened, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also while workers are at work on it; those then stop with an error.")
def delete(storage: str, study_name: str | None, yes: bool, force: bool) -> None:
    """Delete the study: its trials and revisions, Optuna's part of it, and its files on this machine.

    \b
    autoresearch study delete --study-name night
    """
    database = opened(storage, create=False)
    try:
        study = open_study(database, study_name)
    except StudyError:
        if study_name is None:
            raise
        delete_study(
            database, study_name, force=force
        )  # finishes a deletion that was interrupted; or says what is wrong
        click.echo(f"deleted  what was left of study {study_name!r}", err=True)
        return
    ledger = Ledger(database, study)
    what = f"study {study.name!r}: {len(ledger.history())} trials, {len(ledger.revisions())} revisions"
    if not yes:
        _ask(what)
    files = kept_files(ledger)
    delete_study(database, study.name, force=force)
    click.echo(f"deleted  {what}", err=True)
    _delete_files(files, Folders.of(study.name, study.id))


def _ask(what: str) -> None:
    if not sys.stdin.isatty():
        raise InputError("delete asks before it deletes, and there is no terminal to ask on: give --yes")
    if not click.confirm(f"delete {what}?", err=True):
        raise AutoresearchError("nothing was deleted")


def _delete_files(files: Sequence[Path], folders: Folders) -> None:
    try:
        for path in files:
            path.unlink(missing_ok=True)
        there = [folder for folder in (folders.root, folders.kernels) if folder.exists()]
        for folder in there:
            shutil.rmtree(folder)
    except OSError as error:
        raise StorageError(
            f"the study is deleted, its files are not: {error.filename}: {error.strerror}; remove it by hand"
        ) from None
    for folder in there:
        click.echo(f"deleted  {folder}", err=True)
