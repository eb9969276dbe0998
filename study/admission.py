"""Whether this machine may work on a study: the same device, the same data."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from autoresearch.data import catalog
from autoresearch.data.dataset import Dataset
from autoresearch.data.progress import Progress
from autoresearch.device import Device
from autoresearch.errors import DataError, StudyError

from .records import TrialRecord
from .settings import StudySettings


def machine_name(device: Device) -> str:
    """What tells this machine from another for the purpose of comparing speeds."""
    if device.kind != "cpu":
        return device.name
    return f"{_processor()}, {os.cpu_count()} cores"


def check_platform(settings: StudySettings, device: Device, torch_version: str) -> str | None:
    """Refuse a worker whose scores would not compare; return a warning where they might not.

    Raises:
        StudyError: Another device or precision than the study's.
    """
    for what, ours, theirs in (
        ("device", machine_name(device), settings.machine),
        ("precision", device.precision, settings.precision),
    ):
        if ours != theirs:
            raise StudyError(
                f"the study was made on the {what} {theirs!r} and this worker has {ours!r}: val_bpb under a time budget "
                "does not compare across devices; make a study of its own for this machine"
            )
    if torch_version != settings.torch:
        return f"the study was made with torch {settings.torch}, this is {torch_version}: speed may differ, and with it val_bpb"
    return None


def check_threads(settings: StudySettings, device: Device, history: Sequence[TrialRecord]) -> None:
    """Refuse a worker that has more or fewer CPU threads than those before it: it would get more or less done in the time.

    Raises:
        StudyError: It has.
    """
    if device.kind != "cpu" or settings.steps is not None:
        return
    before = next((trial.result["device"] for trial in history if "device" in trial.result), device.name)
    if before != device.name:
        raise StudyError(
            f"the study's trials ran on {before!r} and this worker has {device.name!r}: val_bpb under a time budget does "
            "not compare between them; start as many --workers as before, or set OMP_NUM_THREADS"
        )


def dataset_of(settings: StudySettings, report: Progress | None = None, home: Path | None = None) -> Dataset:
    """Open the prepared dataset with the study's fingerprint; the built-in corpus is prepared where it is missing.

    Raises:
        DataError: It is not on this machine.
    """
    for path in catalog.prepared(home):
        try:
            dataset = Dataset.open(path)
        except DataError:
            continue  # a damaged one is no reason to refuse the one that fits
        if dataset.fingerprint == settings.fingerprint:
            return dataset
    if settings.data.startswith("builtin-"):
        dataset = catalog.fitting(settings.vocab_size, settings.context, home, report)
        if dataset.fingerprint == settings.fingerprint:
            return dataset
    raise DataError(
        f"the study trains on {settings.data} with fingerprint {settings.fingerprint[:12]}, which is not prepared here; "
        "run autoresearch prepare on the same corpus with "
        f"--vocab-size {settings.vocab_size} --context {settings.context}, or copy the prepared folder"
    )


def _processor() -> str:
    """The processor's model; Python itself knows only its architecture on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
