"""What a study is bound to, from flags: for `create`, and for an `optimize` that finds no study yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch

from autoresearch.data import catalog
from autoresearch.data.dataset import Dataset
from autoresearch.device import Device, detect
from autoresearch.errors import InputError, StudyError
from autoresearch.presets import PRESETS, Preset, preset_for, preset_named
from autoresearch.revision import load, package_knobs, read_source
from autoresearch.static_check import check_source
from autoresearch.study.admission import machine_name
from autoresearch.study.edits import sha256_of
from autoresearch.study.records import Revision
from autoresearch.study.settings import StudySettings

from ..prepare import progress_on_stderr
from ..source import source_file

Command = Callable[..., Any]

_COMPILE_FROM_SECONDS_ON_CPU = 60.0

_FLAGS = (
    click.option("--preset", metavar="NAME", help=f"One of {', '.join(PRESETS)}.  [default: by the device]"),
    click.option("--device", metavar="KIND", help="cuda, mps or cpu.  [default: the best there is]"),
    click.option(
        "--budget", type=float, metavar="SECONDS", help="Training time of a trial.  [default: 300, on a CPU 60]"
    ),
    click.option("--steps", type=int, metavar="N", help="A budget of N optimizer steps instead of seconds."),
    click.option("--data", metavar="NAME", help="A prepared dataset.  [default: the newest that fits]"),
    click.option("--source", type=click.Path(path_type=Path), metavar="FILE", help="Start from your own train.py."),
    click.option("--seed", type=int, metavar="N", help="Of weights, data order and proposals.  [default: 0]"),
    click.option(
        "--compile/--no-compile",
        "compiled",
        default=None,
        help="Use torch.compile.  [default: on a GPU, and on a CPU for 60 s or more]",
    ),
)


@dataclass(frozen=True)
class Flags:
    """The flags that bind a study, as they were given; None where they were not."""

    preset: str | None
    device: str | None
    budget: float | None
    steps: int | None
    data: str | None
    source: Path | None
    seed: int | None
    compiled: bool | None


def binding_flags(command: Command) -> Command:
    """Add the flags that `Flags` holds."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def bind(flags: Flags) -> tuple[StudySettings, Revision]:
    """The settings and revision 0 of a new study.

    Raises:
        InputError: A flag is wrong.
    """
    _check(flags)
    device = detect(flags.device)
    preset = preset_named(flags.preset) if flags.preset else preset_for(device)
    revision = first_revision(flags.source, preset)
    dataset = _dataset(flags.data, preset)
    seconds = preset.budget_seconds if flags.budget is None else flags.budget
    settings = StudySettings(
        preset=preset.name,
        seconds=seconds,
        steps=flags.steps,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        vocab_size=dataset.vocab_size,
        context=dataset.context,
        eval_tokens=preset.eval_tokens,
        device=device.kind,
        machine=machine_name(device),
        precision=device.precision,
        compiled=_compiled(device, flags, seconds),
        seed=flags.seed or 0,
        torch=torch.__version__,
    )
    return settings, revision


def first_revision(source: Path | None, preset: Preset) -> Revision:
    """Revision 0: the package's `train.py`, or the user's, with the preset's defaults and ranges."""
    with source_file(source, preset) as path:
        text = read_source(path)
        check_source(text)
        # The package's own keeps the contract; to import it takes as long as to start the process that trials are forks of.
        knobs = package_knobs(text) if source is None else load(path).knobs
    title = "the package's train.py" if source is None else source.name
    return Revision(sha256_of(text), text, knobs, title=title)


def check_agreement(flags: Flags, settings: StudySettings, first: str) -> None:
    """Refuse flags that say otherwise than the study that exists; `first` is the sha256 of its revision 0.

    Raises:
        StudyError: One does.
    """
    _check(flags)
    said: Mapping[str, tuple[Any, Any]] = {
        "--preset": (flags.preset, settings.preset),
        "--device": (flags.device, settings.device),
        "--budget": (flags.budget, None if settings.steps is not None else settings.seconds),
        "--steps": (flags.steps, settings.steps),
        "--seed": (flags.seed, settings.seed),
        "--compile": (flags.compiled, settings.compiled),
    }
    for name, (given, bound) in said.items():
        if given is not None and given != bound:
            raise StudyError(
                f"{name} is {given}, but the study was made with {bound}; leave it out, or name another study"
            )
    if flags.data is not None and catalog.named(flags.data).fingerprint != settings.fingerprint:
        raise StudyError(f"--data {flags.data} is not the study's {settings.data}; leave it out, or name another study")
    if flags.source is not None:
        given = first_revision(flags.source, preset_named(settings.preset)).sha256
        if given != first:
            raise StudyError(
                f"--source {flags.source} is not the file that the study started from ({first[:8]}); "
                "leave it out, or name another study"
            )


def _check(flags: Flags) -> None:
    if flags.budget is not None and flags.steps is not None:
        raise InputError("--budget and --steps exclude each other: give seconds or optimizer steps")
    if flags.budget is not None and not 0 < flags.budget < math.inf:
        raise InputError(f"--budget is {flags.budget}: expected a number of seconds over 0")
    if flags.steps is not None and flags.steps < 1:
        raise InputError(f"--steps is {flags.steps}: expected at least 1")
    if flags.seed is not None and not 0 <= flags.seed < 2**31:  # what repeats and confirmations add must fit as well
        raise InputError(f"--seed is {flags.seed}: expected 0 to {2**31 - 1}")


def _compiled(device: Device, flags: Flags, seconds: float) -> bool:
    """Whether compilation pays: nearly every trial has shapes of its own and compiles anew, outside its budget.

    On two cores that takes some 20 s and makes training a fifth faster, so it pays from about a minute on.
    """
    if flags.compiled and device.compile_obstacle:
        raise InputError(f"--compile cannot work here: {device.compile_obstacle}")
    if flags.compiled is not None:
        return flags.compiled
    worth_it = device.kind != "cpu" or (flags.steps is None and seconds >= _COMPILE_FROM_SECONDS_ON_CPU)
    return worth_it and device.compile_obstacle is None


def _dataset(name: str | None, preset: Preset) -> Dataset:
    with progress_on_stderr() as bars:
        return catalog.named(name) if name else catalog.fitting(preset.vocab_size, preset.context, report=bars)
