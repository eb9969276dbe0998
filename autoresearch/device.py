"""The machine: which device, its memory, the precision to train in, and how fast it could be at best."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import shutil
import sys
import sysconfig
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from autoresearch.errors import InputError

DeviceKind = Literal["cuda", "mps", "cpu"]

# Dense bfloat16 peak in FLOP/s from the vendor's datasheets, by whole words of the device's name; the first match counts.
# (Lightning's own table does not know a plain "NVIDIA H200" and gives figures with sparsity for some boards.)
_DATASHEET_PEAKS = (
    ("B200", 2250e12),
    ("H200", 989.5e12),
    ("H100 PCIE", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989.5e12),
    ("A100", 312e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("L4", 121e12),
    ("A10G", 70e12),
    ("A10", 125e12),
    ("RTX 5090", 209.5e12),
    ("RTX 4090", 165.2e12),
    ("RTX 4080", 97.5e12),
    ("RTX 3090", 71e12),
)


@dataclass(frozen=True)
class Device:
    """Where a trial trains."""

    kind: DeviceKind
    name: str
    memory_bytes: int
    precision: Literal["bf16-mixed", "32-true"]
    compile_obstacle: str | None = None  # why `torch.compile` cannot work here

    @property
    def torch_device(self) -> torch.device:
        """The torch device; on a machine with several GPUs the current one."""
        return torch.device("cuda", torch.cuda.current_device()) if self.kind == "cuda" else torch.device(self.kind)

    def __str__(self) -> str:
        return f"{self.name}, {self.memory_bytes / 2**30:.0f} GiB, {self.precision}"


def detect(kind: str | None = None) -> Device:
    """The device asked for, or the best there is.

    Raises:
        InputError: No such kind of device, or this machine (or this build of torch) has none.
    """
    if kind is None:
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if properties.major >= 8 else "32-true"
        return Device("cuda", properties.name, properties.total_memory, precision, _compile_obstacle(kind))
    if kind == "mps" and torch.backends.mps.is_available():
        return Device("mps", "Apple GPU", _system_memory(), "32-true", "it is not ready for Apple GPUs")
    if kind == "cpu":
        precision = "bf16-mixed" if _cpu_multiplies_bf16() else "32-true"
        name = f"CPU, {torch.get_num_threads()} threads"
        return Device("cpu", name, _system_memory(), precision, _compile_obstacle(kind))
    if kind not in ("cuda", "mps", "cpu"):
        raise InputError(f"there is no device {kind!r}: expected cuda, mps or cpu")
    raise InputError(
        f"device {kind!r} is not available here (torch {torch.__version__}); expected cpu, or leave it out"
    )


@cache
def peak_flops(device: Device) -> float:
    """The most FLOP/s that the device could do: from its datasheet, or else measured, once, with large matrix products."""
    if device.kind == "cuda" and device.precision == "bf16-mixed":
        for part, peak in _DATASHEET_PEAKS:
            if re.search(rf"\b{part}\b", device.name.upper()):
                return peak
    return _measured_flops(device)


def _measured_flops(device: Device) -> float:
    size = 1024 if device.kind == "cpu" else 4096
    dtype = torch.bfloat16 if device.precision == "bf16-mixed" else torch.float32
    matrix = torch.randn(size, size, device=device.torch_device).to(dtype)
    best = math.inf
    for _ in range(40):  # many, and the best of them: the first warm caches up, and a busy neighbour slows some down
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _cpu_multiplies_bf16() -> bool:
    """Whether bfloat16 products run in hardware; emulated they are slower than float32."""
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def _compile_obstacle(kind: str) -> str | None:
    """What is missing for torch's inductor, which compiles C++ on a CPU, and by way of triton on a GPU."""
    if kind == "cuda" and importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    usual = {"win32": "cl", "darwin": "clang++"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX", usual) if kind == "cpu" else os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        return f"there is no compiler {compiler}"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "Python's C headers are not installed (on Debian and Ubuntu the package python3-dev)"
    return None


def _system_memory() -> int:
    if sys.platform == "win32":
        return 0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
