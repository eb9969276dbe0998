"""What this machine can do, and what is missing for a night of edits: each thing is tried, or said not to have been."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

from autoresearch.data import catalog
from autoresearch.data.dataset import Dataset
from autoresearch.data.home import home
from autoresearch.device import Device, detect
from autoresearch.errors import AutoresearchError, DataError, StudyError
from autoresearch.isolation.environment import clean_environment
from autoresearch.presets import Preset, preset_for
from autoresearch.sandbox.choose import COMPILER, DISPENSABLE, RUNGS, Tried, try_rung
from autoresearch.sandbox.resources import Resources, memory_here

from .storage.database import Database
from .storage.studies import study_names
from .storage.url import file_of, parse
from .trial_cost import estimate, measured

_GIB = 2**30
_LEAST_FREE = 2 * _GIB  # the built-in corpus and a night's compiled kernels come to less
_KEY = "ANTHROPIC_API_KEY"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    says: str
    fine: bool = True  # whether a night of edits can do with it
    remedy: str = ""  # what to do where it is not
    data: Mapping[str, Any] = field(default_factory=dict)  # for programs


def examine(storage: str, kind: str | None = None) -> Iterator[Finding]:
    """Look at everything, one finding after another; trying the sandbox takes a while.

    Args:
        storage: URL of the database that studies would use.
        kind: Of the device; the best there is where it is None.
    """
    device = detect(kind)
    preset = preset_for(device)
    yield Finding("python", f"{platform.python_version()}, {sys.platform} {platform.release()}, {platform.machine()}")
    yield Finding("torch", torch.__version__)
    yield (works := _device(device))
    yield Finding("memory", f"{memory_here() / _GIB:.1f} GiB, {_available():.1f} available now")
    yield Finding("preset", f"{preset.name}, for {preset.machine}")
    tried: list[Tried] = []
    yield from _sandbox(device, tried)
    yield _compiler(device, tried)
    yield _disk(home())
    yield _data(preset)
    yield from _storage_and_time(storage, device if works.fine else None, preset)
    yield _key()


def verdict(findings: list[Finding]) -> str:
    """Whether a night with edits could run here; else the first thing to do about it."""
    wrong = next((finding for finding in findings if not finding.fine), None)
    return "a night with edits can run here" if wrong is None else f"no night with edits: {wrong.remedy}"


def _available() -> float:
    return min(memory_here(), psutil.virtual_memory().available) / _GIB


def _device(device: Device) -> Finding:
    about = {"kind": device.kind, "memory_bytes": device.memory_bytes, "precision": device.precision}
    try:
        ones = torch.ones(64, 64, device=device.torch_device)
        worked = float((ones @ ones).sum()) == 64**3
    except RuntimeError as error:
        return Finding(
            "device", f"{device}: {error}", False, "make the device work, or name another: --device cpu", about
        )
    says = f"{device}; a product of matrices was {'right' if worked else 'WRONG'}"
    return Finding("device", says, worked, "the device reckons wrongly: name another, as in --device cpu", about)


def _sandbox(device: Device, tried: list[Tried]) -> Iterator[Finding]:
    """A line for each rung, and which one it would be; all results are put into the list."""
    for rung in RUNGS:
        first = not any(result.holds for result in tried)
        compiles = first and device.compile_obstacle is None
        tried.append(result := try_rung(rung, home() / "studies", device.kind, clean_environment, compiles))
        about = {"holds": result.holds, "tried": dict(result.held), "shortcomings": result.shortcomings}
        yield Finding("sandbox", f"{rung.name}: {_rung_in_words(result)}", data=about)
    chosen = next((result for result in tried if result.holds), None)
    if chosen is None:
        remedy = "install bubblewrap, or use a kernel with Landlock 3 or later (Linux 6.2)"
        none = "none holds here" if RUNGS else f"there is none for {sys.platform}"
        yield Finding("edits", f"{none}: edits are refused", False, remedy)
    else:
        yield Finding("edits", f"run in {chosen.rung.name}", data={"rung": chosen.rung.name})
        yield _limits()


def _rung_in_words(result: Tried) -> str:
    if result.obstacle is not None:
        return f"does not work: {result.obstacle}"
    if not result.holds:
        return "; ".join(result.shortcomings)
    held = ", ".join(name for name, holds in result.held.items() if holds)
    lost = [name for name in DISPENSABLE if not result.held[name]]
    but = f"; does not hold: {', '.join(sorted(lost))}" if lost else ""
    no_home = "" if "home not read" in result.held else "; not tried: home not read, there is none to write to"
    return f"holds, each tried: {held}{but}{no_home}"


def _limits() -> Finding:
    most = Resources()
    says = (
        f"of a trial: files of {most.file_bytes / _GIB:.0f} GiB and {most.open_files} open ones, held by the kernel; "
        f"{most.memory_bytes / _GIB:.1f} GiB of memory, {most.processes} processes and {most.folder_bytes / _GIB:.0f} GiB "
        "in its folder, watched (not tried here)"
    )
    return Finding("limits", says, data={name: getattr(most, name) for name in most.__dataclass_fields__})


def _compiler(device: Device, tried: list[Tried]) -> Finding:
    if device.compile_obstacle is not None:
        return Finding("compile", f"off: {device.compile_obstacle}; training will be slower")
    chosen = next((result for result in tried if result.holds), None)
    if chosen is None:
        return Finding("compile", "no obstacle is known; not tried, for want of a sandbox")
    failure = chosen.failed.get(COMPILER)
    if failure is not None:
        return Finding("compile", f"fails in the sandbox: {failure}", False, "give --no-compile, or mend the compiler")
    return Finding(
        "compile", f"works in the sandbox; a small function took {chosen.work_seconds:.0f} s, with nothing cached"
    )


def _disk(folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    about = {"folder": str(folder), "free_bytes": free}
    remedy = f"make room on the disk of {there}, or set AUTORESEARCH_HOME to another one"
    return Finding("disk", f"{free / _GIB:.1f} GiB free for {folder}", free >= _LEAST_FREE, remedy, about)


def _data(preset: Preset) -> Finding:
    wanted = f"vocabulary {preset.vocab_size} and context {preset.context}"
    for path in catalog.prepared():
        try:
            dataset = Dataset.open(path)
        except DataError:
            continue
        made_with = dataset.meta["settings"]
        if (made_with["vocab_size"], made_with["context"]) == (preset.vocab_size, preset.context):
            about = {"name": dataset.name, "fingerprint": dataset.fingerprint}
            return Finding("data", f"{dataset.name}, fingerprint {dataset.fingerprint[:12]}", data=about)
    return Finding(
        "data", f"none prepared with {wanted}: the first study prepares the built-in corpus", data={"name": None}
    )


def _storage_and_time(url: str, device: Device | None, preset: Preset) -> Iterator[Finding]:
    """The database, and what a trial costs: by the trials that it holds, or else by a measurement."""
    cost = None
    try:
        with Database.open(url, create=False) as database:
            names = study_names(database)
            yield Finding("storage", f"{database.where}, studies: {len(names)}", data={"studies": len(names)})
            cost = measured(database, names, device, preset) if device else None
    except StudyError:
        yield _no_database_yet(url)
    except AutoresearchError as error:
        yield Finding(
            "storage", str(error), False, "name a database that can be used, with --storage or OPTUNA_STORAGE"
        )
    if device is None:
        yield Finding("time", "not measured: the device does not work")
        return
    cost = cost or estimate(device, preset)
    yield Finding("time", cost.in_words, data={"seconds": cost.seconds, "measured": cost.trials > 0})


def _no_database_yet(url: str) -> Finding:
    path = file_of(parse(url))
    if path is None or os.access(path.parent, os.W_OK):
        return Finding("storage", "no study yet; the first one makes its tables", data={"studies": 0})
    remedy = "run from a folder that can be written to, or name a database with --storage or OPTUNA_STORAGE"
    return Finding("storage", f"no study yet, and {path.parent} cannot be written to", False, remedy)


def _key() -> Finding:
    there = bool(os.environ.get(_KEY))
    says = "is set (not shown, not tried)" if there else "is not set; replayed edits and samples need none"
    return Finding("API key", f"{_KEY} {says}", data={"present": there})
