"""Lightning callbacks that any Trainer can use; each knows torch and Lightning, and nothing of language models.

- `WallClockBudget`, `StepBudget`: end training after so many seconds or optimizer steps, with warm-up that leaves no trace
- `DivergenceGuard`: ends training once the loss is beyond hope, and says why
- `Throughput`: tokens a second, MFU and peak memory

Time is in seconds, memory in bytes. None of them logs anything: a result is an attribute, to be read during or after the fit.
"""

from .budget import Budget
from .device import peak_memory
from .divergence_guard import DivergenceGuard
from .snapshot import undo_training
from .step_budget import StepBudget
from .throughput import Throughput
from .wall_clock_budget import WallClockBudget

__all__ = [
    "Budget",
    "DivergenceGuard",
    "StepBudget",
    "Throughput",
    "WallClockBudget",
    "peak_memory",
    "undo_training",
]
