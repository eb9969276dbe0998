"""What the user asked of one `optimize`: every flag but those that bind the study itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import InputError

from .briefing.program import read_program
from .editors.command import DEFAULT_SECONDS
from .editors.editor import Editor
from .editors.named import Asked
from .editors.voices import Voice
from .planner import Plan
from .search.policy import Policy, Ratio, Stagnation
from .search.propose import SamplerName


@dataclass(frozen=True)
class Request:
    """The flags; they are written down with the run, from where its other workers read them."""

    hours: float | None = None
    trials: int | None = None
    workers: int = 1
    sampler: SamplerName = "hybrid"
    policy: str | None = None  # stagnation or ratio
    edit_ratio: float | None = None
    editor: str = "none"
    program: str | None = None  # a file of instructions
    model: str | None = None
    effort: str | None = None
    max_cost: str | None = None
    price: str | None = None
    record: str | None = None
    command_seconds: float = DEFAULT_SECONDS
    baseline_repeats: int = 3
    min_delta: float | None = None
    max_gain: float | None = None
    confirm: int = 3
    device: str | None = None
    unsafe: bool = False

    def check(self) -> None:
        """Raise an InputError that names the flag at fault."""
        self.check_numbers()
        self.asked.check()
        read_program(self.asked.program)

    def check_numbers(self) -> None:
        """The same for the flags that do not concern the editor."""
        if self.hours is not None and not 0 < self.hours < math.inf:
            raise InputError(f"--hours is {self.hours}: expected a number over 0")
        for name, value, least in (
            ("--trials", self.trials, 0),
            ("--workers", self.workers, 1),
            ("--baseline-repeats", self.baseline_repeats, 1),
            ("--confirm", self.confirm, 0),
        ):
            if value is not None and value < least:
                raise InputError(f"{name} is {value}: expected at least {least}")
        if self.min_delta is not None and not 0 <= self.min_delta < math.inf:
            raise InputError(f"--min-delta is {self.min_delta}: expected a number of bits a byte, at least 0")
        if self.max_gain is not None and not 0 < self.max_gain < math.inf:
            raise InputError(f"--max-gain is {self.max_gain}: expected a number of bits a byte over 0")
        if self.baseline_repeats == 1 and self.min_delta is None:
            raise InputError("--baseline-repeats 1 measures no noise: expected at least 2, or a --min-delta")
        if self.edit_ratio is not None and not 0 <= self.edit_ratio <= 1:
            raise InputError(f"--edit-ratio is {self.edit_ratio}: expected a share from 0 to 1")
        if self.edit_ratio is not None and self.policy == "stagnation":
            raise InputError("--edit-ratio belongs to --policy ratio: leave one of the two out")

    @property
    def asked(self) -> Asked:
        """Which editor, and how."""
        program, record = (None if name is None else Path(name) for name in (self.program, self.record))
        voice = Voice(self.model, self.effort, self.price, self.max_cost, record=record)
        return Asked(self.editor, voice, program, self.command_seconds)

    def plan(self, editor: Editor | None) -> Plan:
        """How to search."""
        return Plan(
            self.sampler,
            self._policy(),
            editor,
            self.baseline_repeats,
            self.min_delta,
            self.max_gain,
            self.asked.voice.cap(),
        )

    def _policy(self) -> Policy:
        if self.edit_ratio is not None:
            return Ratio(self.edit_ratio)
        return Ratio() if self.policy == "ratio" else Stagnation()
