"""`autoresearch study create`: a study, bound to its budget, data and machine."""

from __future__ import annotations

from typing import Any

import click

from autoresearch.study.storage.studies import create_study, study_names

from .binding import Flags, bind, binding_flags
from .options import opened, storage_option, study_name_option


@click.command()
@storage_option
@study_name_option
@binding_flags
@click.option("--skip-if-exists", is_flag=True, help="Print the name of a study that exists, and leave it as it is.")
def create(storage: str, study_name: str | None, skip_if_exists: bool, **flags: Any) -> None:
    """Make a study and print its name.

    A study remembers its budget, its data and this machine: val_bpb under a time budget compares only between trials
    that share them.

    \b
    autoresearch study create --study-name night
    autoresearch study create --budget 20 --storage postgresql://host/database
    """
    database = opened(storage, create=True)
    if skip_if_exists and study_name in study_names(database):
        click.echo(study_name)
        return
    settings, revision = bind(Flags(**flags))
    study = create_study(database, study_name, settings.as_json(), revision)
    click.echo(study.name)
