"""`autoresearch train`: one run by hand, with a live progress line on stderr and the summary on stdout."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import click
import torch

from autoresearch.data import catalog
from autoresearch.data.dataset import Dataset
from autoresearch.device import Device, detect
from autoresearch.errors import InputError
from autoresearch.knobs import KnobValue, resolve
from autoresearch.presets import PRESETS, Preset, preset_for, preset_named
from autoresearch.progress import Progress
from autoresearch.revision import load, read_source, with_defaults
from autoresearch.trial import TrialResult, TrialSettings, run_trial

from .files import write_new
from .prepare import progress_on_stderr
from .source import source_file, tell


@click.command()
@click.option("--preset", metavar="NAME", help=f"One of {', '.join(PRESETS)}.  [default: by the device]")
@click.option("--device", metavar="KIND", help="cuda, mps or cpu.  [default: the best there is]")
@click.option("--budget", type=float, metavar="SECONDS", help="Training time.  [default: 300, on a CPU 60]")
@click.option("--steps", type=int, metavar="N", help="A budget of N optimizer steps instead of seconds.")
@click.option(
    "--set", "assignments", multiple=True, metavar="KNOB=VALUE", help="Set a knob, as in depth=4; repeatable."
)
@click.option("--source", type=click.Path(path_type=Path), metavar="FILE", help="Your own train.py.")
@click.option("--data", metavar="NAME", help="A prepared dataset: its name or folder.  [default: the newest that fits]")
@click.option("--context", type=int, metavar="TOKENS", help="Tokens a row, at most those of the dataset.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the weights and the order of the data.")
@click.option("--compile/--no-compile", "compiled", default=True, show_default=True, help="Use torch.compile.")
@click.option(
    "--write", type=click.Path(path_type=Path), metavar="FILE", help="Write the train.py that would run; stop."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def train(
    preset: str | None,
    device: str | None,
    budget: float | None,
    steps: int | None,
    assignments: tuple[str, ...],
    source: Path | None,
    data: str | None,
    context: int | None,
    seed: int,
    compiled: bool,
    write: Path | None,
    as_json: bool,
) -> None:
    """Train a GPT once for the budget and print val_bpb.

    The budget counts training alone: start-up and compilation come before it, the evaluation after it. With nothing
    prepared yet, the built-in corpus is prepared first.

    \b
    autoresearch train
    autoresearch train --budget 20 --set depth=3 --set matrix_lr=0.02
    autoresearch train --write my_train.py
    autoresearch train --source my_train.py --seed 1 --json
    """
    _check_numbers(budget, steps, context, seed)
    machine = detect(device)
    chosen = preset_named(preset) if preset else preset_for(machine)
    tell("device", str(machine))
    tell("preset", f"{chosen.name}, for {chosen.machine}")
    # What a train.py prints must not mix with the result.
    with source_file(source, chosen) as path, redirect_stdout(sys.stderr):
        values = _values(path, assignments, chosen)
        if write is not None:
            write_new(write, with_defaults(read_source(path), values))
            tell("written", f"{write}; run it with autoresearch train --source {write}")
            return
        dataset = _dataset(data, chosen)
        settings = TrialSettings(
            source=path,
            values=values,
            dataset=dataset,
            device=machine,
            seconds=chosen.budget_seconds if budget is None else budget,
            steps=steps,
            seed=seed,
            eval_tokens=chosen.eval_tokens,
            context=context,
            compiled=_can_compile(machine, compiled),
        )
        tell("start", "building, compiling and warming up; none of it is counted")
        with _progress_line() as report:
            result = run_trial(settings, report)
        text = as_json_text(result, settings, chosen) if as_json else summary(result, values)
    click.echo(text)


def summary(result: TrialResult, values: Mapping[str, KnobValue]) -> str:
    """The result in the lines, and under the names, that karpathy/autoresearch prints."""
    lines = {
        "val_bpb": f"{result.val_bpb:.6f}",
        "training_seconds": f"{result.training_seconds:.1f}",
        "total_seconds": f"{result.total_seconds:.1f}",
        "peak_vram_mb": f"{result.peak_memory_bytes / 2**20:.1f}",
        "mfu_percent": "unknown" if result.mfu_percent is None else f"{result.mfu_percent:.2f}",
        "total_tokens_M": f"{result.tokens / 1e6:.{1 if result.tokens >= 1e7 else 3}f}",
        "num_steps": str(result.steps),
        "num_params_M": f"{result.parameters / 1e6:.1f}",
        "depth": str(values.get("depth", "unknown")),
    }
    return "\n".join(["---", *(f"{name + ':':<17} {value}" for name, value in lines.items())])


def as_json_text(result: TrialResult, settings: TrialSettings, preset: Preset) -> str:
    """The whole result, with what it takes to repeat it."""
    about = {
        "preset": preset.name,
        "device": str(settings.device),
        "budget_seconds": settings.seconds if settings.steps is None else None,
        "budget_steps": settings.steps,
        "data": settings.dataset.name,
        "fingerprint": settings.dataset.fingerprint,
        "context": settings.context or settings.dataset.context,
        "knobs": dict(settings.values),
        "source": settings.source.name,
        "source_sha256": hashlib.sha256(settings.source.read_bytes()).hexdigest(),
        "compiled": settings.compiled,
        "torch": torch.__version__,
    }
    return json.dumps(dataclasses.asdict(result) | about, indent=2)


def _check_numbers(budget: float | None, steps: int | None, context: int | None, seed: int) -> None:
    if budget is not None and steps is not None:
        raise InputError("--budget and --steps exclude each other: give seconds or optimizer steps")
    if budget is not None and not 0 < budget < math.inf:
        raise InputError(f"--budget is {budget}: expected a number of seconds over 0")
    if steps is not None and steps < 1:
        raise InputError(f"--steps is {steps}: expected at least 1")
    if context is not None and context < 1:
        raise InputError(f"--context is {context}: expected at least 1")
    if not 0 <= seed < 2**32:
        raise InputError(f"--seed is {seed}: expected 0 to {2**32 - 1}")


def _values(path: Path, assignments: Iterable[str], preset: Preset) -> dict[str, KnobValue]:
    knobs = load(path).knobs
    values = resolve(knobs, assignments)
    telling = [name for name in values if name in preset.knobs or values[name] != knobs[name].default]
    tell("knobs", " ".join(f"{name}={values[name]}" for name in telling) or f"as in {path.name}")
    return values


def _dataset(name: str | None, preset: Preset) -> Dataset:
    with progress_on_stderr() as bars:
        dataset = catalog.named(name) if name else catalog.fitting(preset.vocab_size, preset.context, report=bars)
    tell("data", f"{dataset.name}, fingerprint {dataset.fingerprint[:12]}")
    return dataset


def _can_compile(device: Device, wanted: bool) -> bool:
    if wanted and device.compile_obstacle:
        tell("compile", f"off: {device.compile_obstacle}; training will be slower")
    return wanted and device.compile_obstacle is None


@contextmanager
def _progress_line() -> Iterator[Callable[[Progress], None]]:
    """One line that rewrites itself on a terminal; elsewhere a line for each tenth of the budget."""
    live = sys.stderr.isatty()
    tenths = 0

    def report(progress: Progress) -> None:
        nonlocal tenths
        if live:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be rewritten
            click.echo(f"\r\x1b[K{_line(progress)[:width]}", err=True, nl=False)
        elif int(10 * progress.fraction) > tenths:
            tenths = int(10 * progress.fraction)
            click.echo(_line(progress), err=True)

    try:
        yield report
    finally:
        if live:
            click.echo(err=True)


def _line(progress: Progress) -> str:
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    mfu = "" if progress.mfu_percent is None else f"  MFU {progress.mfu_percent:.1f} %"
    return (
        f"{progress.fraction:4.0%}  step {progress.step}  loss {progress.loss:.4f}  "
        f"{progress.tokens_per_second:,.0f} tokens/s{mfu}  {minutes}:{seconds:02d} left"
    )
