"""Presets: what a trial looks like on each class of machine.

The defaults of `train.py` are the full preset's, for an 80 GB GPU. A smaller machine gets smaller ones by the known
advice: fewer tokens a step, a shorter context, a smaller vocabulary, fewer layers, full windows, and less to evaluate on.
A preset replaces defaults and ranges of the knobs that depend on the machine; all the others stay `train.py`'s own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import IntDistribution as Int

from autoresearch.device import Device
from autoresearch.errors import InputError, RevisionError
from autoresearch.knobs import KnobValue
from autoresearch.revision import package_knobs, preset_of, with_defaults

FULL_BUDGET_SECONDS = 300.0
CPU_BUDGET_SECONDS = 60.0

Replacement = tuple[KnobValue, BaseDistribution]  # a knob's default and range


@dataclass(frozen=True)
class Preset:
    """The part of a trial that the machine decides."""

    name: str
    machine: str  # for whom it is, in words
    vocab_size: int
    context: int
    eval_tokens: int  # of the validation split, at most
    budget_seconds: float = FULL_BUDGET_SECONDS
    knobs: Mapping[str, Replacement] = field(default_factory=dict)


def _powers_of_two(low: int, high: int) -> Choice:
    return Choice([2**exponent for exponent in range(low, high + 1)])


def _gpu(rows: int, log2_tokens: int) -> dict[str, Replacement]:
    """The full model on less memory: fewer rows at a time, and fewer tokens a step for a slower machine."""
    largest = rows.bit_length()  # twice the rows, in case the model of a sample is smaller
    return {
        "device_batch_size": (rows, _powers_of_two(largest - 3, largest)),
        "total_batch_size": (2**log2_tokens, _powers_of_two(log2_tokens - 2, log2_tokens + 2)),
    }


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("full", "a GPU with 75 GiB or more", 8192, 2048, eval_tokens=40 * 2**19),
        Preset("gpu-40g", "a GPU with 36 GiB or more", 8192, 2048, eval_tokens=20 * 2**19, knobs=_gpu(64, 18)),
        Preset("gpu-24g", "a GPU with 22 GiB or more", 8192, 2048, eval_tokens=10 * 2**19, knobs=_gpu(32, 17)),
        Preset(
            "gpu-12g",
            "a GPU with 11 GiB or more",
            8192,
            1024,
            eval_tokens=4 * 2**19,
            knobs=_gpu(32, 16) | {"depth": (6, Int(2, 16))},
        ),
        Preset(
            "gpu-small",
            "a GPU with less",
            4096,
            512,
            eval_tokens=2 * 2**19,
            knobs=_gpu(32, 15) | {"depth": (4, Int(2, 12)), "head_dim": (64, Choice((32, 64, 128)))},
        ),
        Preset(
            "mps",
            "an Apple GPU",
            4096,
            512,
            eval_tokens=2**19,
            knobs=_gpu(16, 14)
            | {
                "depth": (4, Int(2, 12)),
                "head_dim": (64, Choice((32, 64, 128))),
                "window_pattern": ("L", Choice(("L", "SL", "SSL"))),
            },
        ),
        Preset(
            "cpu",
            "a CPU",
            2048,
            256,
            # Two runs' difference on these rows has a standard error of 0.002, the noise from seed to seed is three to eight
            # times that; twice the rows would cost a trial of 20 s an eighth of its time.
            eval_tokens=2**16,
            budget_seconds=CPU_BUDGET_SECONDS,
            knobs={
                "depth": (2, Int(1, 6)),
                "aspect_ratio": (64, Int(32, 128)),
                "head_dim": (64, Choice((32, 64, 128))),
                "window_pattern": ("L", Choice(("L", "SL", "SSL"))),
                "device_batch_size": (8, _powers_of_two(1, 5)),
                "total_batch_size": (2**11, _powers_of_two(9, 13)),
            },
        ),
    )
}

# Memory in GiB from which a GPU gets the preset; boards report a little less than their name says.
_BY_GPU_MEMORY = ((75, "full"), (36, "gpu-40g"), (22, "gpu-24g"), (11, "gpu-12g"), (0, "gpu-small"))


def preset_for(device: Device) -> Preset:
    """The preset for a machine."""
    if device.kind != "cuda":
        return PRESETS[device.kind]
    gibibytes = device.memory_bytes / 2**30
    return PRESETS[next(name for least, name in _BY_GPU_MEMORY if gibibytes >= least)]


def preset_named(name: str) -> Preset:
    """The preset of a name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"there is no preset {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


def retarget(source: str, preset: Preset) -> str:
    """The text of a `train.py` with its machine-dependent knobs set for another preset's machine.

    A file whose constant `PRESET` names this preset, or that has none, stays as it is. In any other, the knobs that either
    preset decides get this preset's default and range, or where it decides nothing those of the package's `train.py`.

    Raises:
        RevisionError: The file names a preset that does not exist, or its ranges cannot be rewritten.
    """
    written_for = preset_of(source)
    if written_for in (None, preset.name):
        return source
    if written_for not in PRESETS:
        raise RevisionError(f"PRESET is {written_for!r}: expected one of {', '.join(PRESETS)}")
    package = {name: (knob.default, knob.distribution) for name, knob in package_knobs().items()}
    knobs = {name: package[name] for name in PRESETS[written_for].knobs} | dict(preset.knobs)
    defaults = {name: default for name, (default, _) in knobs.items()}
    ranges = {name: distribution for name, (_, distribution) in knobs.items()}
    return with_defaults(source, defaults, ranges, preset.name)
