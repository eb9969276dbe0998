"""The files of a trial where optuna-dashboard shows them: the `train.py` that ran, and the end of its log.

They lie in one folder for all studies of this machine, since the dashboard takes one (`--artifact-dir`), each under a name
that Optuna's tables know. The database holds all that a study needs; these are for people to read.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact

from autoresearch.data.home import home
from autoresearch.errors import StorageError
from autoresearch.isolation.log_size import log_size

from .records import TrialRecord
from .storage.ledger import Ledger

_LONGEST_LOG = 2**20  # bytes; a candidate may print 256 MiB
_LOG_END = "log-end.txt"


def artifact_folder() -> Path:
    """Where the files of all studies of this machine lie."""
    return home() / "artifacts"


def keep_files(ledger: Ledger, trial: TrialRecord, folder: Path) -> None:
    """Attach what lies in a trial's folder to its Optuna trial, which has not been told its end yet.

    Raises:
        StorageError: The disk is full, or the folder may not be written.
    """
    store = artifact_folder()
    try:
        store.mkdir(parents=True, exist_ok=True)
        files = [path for path in (folder / "train.py", _log_of(folder)) if path is not None and path.exists()]
        for path in files:
            ledger.through_outages(partial(_upload, ledger, trial, store, path))
    except OSError as error:
        raise StorageError(f"cannot write to {store}: {error.strerror}; make room, and run the same command") from error


def kept_files(ledger: Ledger) -> list[Path]:
    """The files of all trials of a study; those of trials that ran elsewhere are not on this machine."""
    trials = (ledger.optuna_trial(trial.number) for trial in ledger.history())
    return [artifact_folder() / meta.artifact_id for trial in trials for meta in get_all_artifact_meta(trial)]


def _upload(ledger: Ledger, trial: TrialRecord, store: Path, path: Path) -> None:
    upload_artifact(
        artifact_store=FileSystemArtifactStore(store),
        file_path=str(path),
        study_or_trial=ledger.optuna_trial(trial.number),
        mimetype="text/plain",
    )


def _log_of(folder: Path) -> Path | None:
    """The log, or a file with the end of one that is too long; None where nothing was printed."""
    log = folder / "log.txt"
    size = log_size(log)
    if size <= _LONGEST_LOG:
        return log if size else None
    with log.open("rb") as whole:
        whole.seek(-_LONGEST_LOG, os.SEEK_END)
        end = folder / _LOG_END
        end.write_bytes(whole.read())
    return end
