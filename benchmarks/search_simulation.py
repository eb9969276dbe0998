"""Our sampler and policy against the alternatives, on synthetic nights whose optimum moves with every edit that is kept.

A night is 100 trials. val_bpb, in thousandths of a bit a byte ("milli-bpb"), is a correlated quadratic bowl in 13 numeric
knobs (steep in a few, flat in others), a penalty for each choice of the attention pattern, the sum of the kept edits' own
effects, and seed noise of 0.7. Near the big models lies a region out of memory.

An edit runs with its parent's knob values. It crashes (10 %), hurts (65 %, by 4 on average) or helps (25 %, by 1.2), and moves
the optimum of about every third numeric knob by a normal step of 0.05 (small), 0.12 (medium) or 0.25 (large) of its range; one
in five brings a new knob. The n-th edit that a method asks for is the same for all.

All methods have the same trials, the same edits on offer and the same gate: a gain over one sigma of noise is kept. All but
Centaur choose edits by our policy of stagnation; Centaur (arXiv:2603.24647) lets CMA-ES propose every trial and the editor
override 20 or 30 % of them, and those count in the generation of CMA-ES. Nothing is pruned for its learning curve.

The figure is the true, noise-free regret of the incumbent in the end, against code with all the helpful ones of the first 50
edits and the optimal knobs: its median over the repeats with the standard error by bootstrap, then the mean of the paired
differences to ours with its standard error. The sampler was chosen on the repeats from 0 up: `--first` takes others.

    python benchmarks/search_simulation.py --jobs 2 --first 1000 --repeats 60
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from autoresearch.knobs import Knob, KnobValue
from autoresearch.study.records import Kind
from autoresearch.study.search.observations import Observation, Target
from autoresearch.study.search.policy import Policy, Ratio, Stagnation, next_kind
from autoresearch.study.search.propose import Draw, SamplerName, propose

SIGMA = 0.7  # milli-bpb of seed noise
TRIALS = 100  # a night of eight hours at five minutes each
CONTEXT = 2048
SHIFTS = {"small": 0.05, "medium": 0.12, "large": 0.25}
ORACLE_EDITS = 50

KNOBS = (
    Knob("depth", int, 8, Int(4, 24)),
    Knob("aspect_ratio", int, 64, Int(32, 128)),
    Knob("short_window", float, 0.5, Choice((0.0625, 0.125, 0.25, 0.5))),
    Knob("device_batch_size", int, 128, Choice((32, 64, 128, 256))),
    Knob("total_batch_size", int, 2**19, Choice((2**16, 2**17, 2**18, 2**19, 2**20, 2**21))),
    Knob("embedding_lr", float, 0.6, Float(0.01, 2.0, log=True)),
    Knob("unembedding_lr", float, 0.004, Float(0.0005, 0.05, log=True)),
    Knob("matrix_lr", float, 0.04, Float(0.005, 0.2, log=True)),
    Knob("scalar_lr", float, 0.5, Float(0.05, 2.0, log=True)),
    Knob("weight_decay", float, 0.2, Float(0.0, 0.5)),
    Knob("warmdown_ratio", float, 0.5, Float(0.1, 0.8)),
    Knob("final_lr_frac", float, 0.0, Float(0.0, 0.2)),
    Knob("momentum_warmup_steps", int, 300, Int(1, 1000, log=True)),
)
PATTERN = Knob("window_pattern", str, "SSSL", Choice(("SSSL", "SSLL", "SLSL", "LLLL", "LSSL")))
MEMORY = {"depth": 1.0, "aspect_ratio": 0.8, "device_batch_size": 1.2}  # of each knob at the top of its range

Vector = NDArray[np.float64]


def unit(knob: Knob, value: KnobValue) -> float:
    """A numeric knob's value as a part of its range, in the range's own scale."""
    match knob.distribution:
        case Choice(choices=choices):
            return choices.index(value) / (len(choices) - 1)
        case Int(low=low, high=high, log=log) | Float(low=low, high=high, log=log):
            number = float(value)
            if log:
                return float(np.log(number / low) / np.log(high / low))
            return float((number - low) / (high - low))
    raise AssertionError(knob)


@dataclass(frozen=True)
class NewKnob:
    """A knob that an edit brings, worth nothing at its default."""

    knob: Knob
    weight: float
    optimum: float

    def effect(self, value: KnobValue) -> float:
        default = unit(self.knob, self.knob.default)
        return self.weight * ((unit(self.knob, value) - self.optimum) ** 2 - (default - self.optimum) ** 2)


@dataclass(frozen=True)
class Code:
    """A revision: where its optimum lies, and what its edits were worth."""

    sha: str
    optimum: Vector  # (13,) in parts of each range
    best_pattern: int
    floor: float = 0.0
    new: tuple[NewKnob, ...] = ()

    @property
    def knobs(self) -> dict[str, Knob]:
        return {knob.name: knob for knob in (*KNOBS, PATTERN, *(new.knob for new in self.new))}


@dataclass(frozen=True)
class SyntheticEdit:
    """One idea of the editor, whatever code it meets."""

    crashes: bool
    effect: float
    step: Vector
    pattern: int | None
    new: NewKnob | None


class World:
    """One synthetic night: a bowl, a memory limit and a stream of edits."""

    def __init__(self, shift: float, repeat: int) -> None:
        random = np.random.default_rng([20260, repeat])
        size = len(KNOBS)
        self.shift, self._edits = shift, np.random.default_rng([20261, repeat])
        weights = 10 ** random.uniform(0.5, 2.5, size)
        factors = random.normal(size=(size, 12))
        factors /= np.linalg.norm(factors, axis=1, keepdims=True)
        self._bowl = np.sqrt(np.outer(weights, weights)) * (factors @ factors.T)
        self._patterns = random.exponential(2.0, 5)
        start = np.array([unit(knob, knob.default) for knob in KNOBS])
        self._limit = float(self._memory(start) + random.uniform(0.2, 0.6))
        self.first = Code("r0", self._feasible(start + random.normal(0, 0.22, size)), int(random.integers(5)))
        self._stream: list[SyntheticEdit] = []

    def edit(self, number: int) -> SyntheticEdit:
        while len(self._stream) <= number:
            self._stream.append(self._another(len(self._stream)))
        return self._stream[number]

    def _another(self, number: int) -> SyntheticEdit:
        random, size = self._edits, len(KNOBS)
        fate, help_, harm = random.uniform(), random.exponential(1.2), random.exponential(4.0)
        step = np.where(random.uniform(size=size) < 1 / 3, random.normal(0, 1.0, size), 0.0) * self.shift
        pattern, pattern_moves = int(random.integers(5)), random.uniform() < self.shift
        name, weight, optimum = f"new_{number}", 10 ** random.uniform(0.3, 1.7), random.uniform()
        new = NewKnob(Knob(name, float, 0.5, Float(0.0, 1.0)), weight, optimum) if random.uniform() < 0.2 else None
        effect = -help_ if fate < 0.25 else harm
        return SyntheticEdit(fate > 0.9, effect, step, pattern if pattern_moves else None, new)

    def apply(self, edit: SyntheticEdit, code: Code, sha: str) -> Code:
        return Code(
            sha,
            self._feasible(code.optimum + edit.step),
            code.best_pattern if edit.pattern is None else edit.pattern,
            code.floor + edit.effect,
            code.new if edit.new is None else (*code.new, edit.new),
        )

    def true_value(self, code: Code, values: dict[str, KnobValue]) -> float:
        """Milli-bpb over the optimum of the first code, without noise."""
        away = np.array([unit(knob, values[knob.name]) for knob in KNOBS]) - code.optimum
        chosen = list(PATTERN.distribution.choices).index(values[PATTERN.name])  # type: ignore[attr-defined]
        pattern = 0.0 if chosen == code.best_pattern else float(self._patterns[chosen])
        return (
            code.floor
            + float(away @ self._bowl @ away)
            + pattern
            + sum(new.effect(values[new.knob.name]) for new in code.new)
        )

    def memory_excess(self, values: dict[str, KnobValue]) -> float:
        return self._memory(np.array([unit(knob, values[knob.name]) for knob in KNOBS])) - self._limit

    def oracle(self) -> float:
        helpful = [edit for edit in map(self.edit, range(ORACLE_EDITS)) if not edit.crashes and edit.effect < 0]
        knobs = [edit.new for edit in helpful if edit.new is not None]
        return sum(edit.effect for edit in helpful) - sum(new.weight * (0.5 - new.optimum) ** 2 for new in knobs)

    def _memory(self, place: Vector) -> float:
        return sum(MEMORY.get(knob.name, 0.0) * float(place[index]) for index, knob in enumerate(KNOBS))

    def _feasible(self, place: Vector) -> Vector:
        """The place inside the ranges and, by smaller models, inside the memory."""
        inside = np.clip(place, 0.0, 1.0)
        costly = np.array([knob.name in MEMORY for knob in KNOBS])
        while self._memory(inside) > self._limit:
            inside = np.where(costly, inside * 0.98, inside)
        return inside


@dataclass(frozen=True)
class Method:
    """A way to spend the night."""

    name: str
    sampler: SamplerName
    policy: Policy = field(default_factory=Stagnation)
    this_revision_only: bool = False
    overrides: bool = False  # the editor's trials count among those of CMA-ES

    def draw(self, target: Target, seen: Sequence[Observation], seed: int) -> Draw:
        if self.this_revision_only:
            seen = [observation for observation in seen if observation.revision == target.revision]
        return propose(self.sampler, target, seen, seed)


METHODS = (
    Method("ours", "hybrid"),
    Method("pooled TPE", "tpe"),
    Method("TPE, one study a revision", "tpe", this_revision_only=True),
    Method("CMA-ES", "cmaes"),
    Method("random", "random"),
    Method("Centaur, 20 % edits", "cmaes", Ratio(0.2), overrides=True),
    Method("Centaur, 30 % edits", "cmaes", Ratio(0.3), overrides=True),
)


class Night:
    """One method's hundred trials in one world."""

    def __init__(self, method: Method, world: World, repeat: int) -> None:
        self.method, self.world = method, world
        draws = np.random.default_rng([20262, repeat]).normal(0, SIGMA, (2, TRIALS + 3))
        self.noise = {Kind.BASELINE: iter(draws[0][:3]), Kind.SAMPLE: iter(draws[0][3:]), Kind.EDIT: iter(draws[1])}
        self.seen: list[Observation] = []
        self.codes = {world.first.sha: world.first}
        self.lineage = [world.first.sha]
        self.values = {name: knob.default for name, knob in world.first.knobs.items()}
        self.history: list[tuple[Kind, bool]] = []
        self.edits = 0
        for _ in range(3):
            self._run(Kind.BASELINE, world.first, self.values)
        self.best = self.seen[0]

    @property
    def code(self) -> Code:
        return self.codes[self.lineage[-1]]

    def regret(self) -> float:
        for seed in range(TRIALS):
            if next_kind(self.method.policy, self.history, editor_available=True) is Kind.EDIT:
                self._edit(seed)
            else:
                draw = self._draw(seed)
                self._gate(self._run(Kind.SAMPLE, self.code, draw.values, draw.system_attrs), self.code)
        return self.world.true_value(self.code, dict(self.best.values)) - self.world.oracle()

    def _draw(self, seed: int) -> Draw:
        knobs = {sha: code.knobs for sha, code in self.codes.items()}
        target = Target(self.code.sha, tuple(self.lineage), self.best.values, knobs, CONTEXT)
        return self.method.draw(target, self.seen, seed)

    def _edit(self, seed: int) -> None:
        edit = self.world.edit(self.edits)
        self.edits += 1
        code = self.world.apply(edit, self.code, f"r{self.edits}")
        if edit.crashes:
            self.history.append((Kind.EDIT, False))
            self.seen.append(Observation(len(self.seen), Kind.EDIT, self.code.sha, self.best.values, "fail"))
            return
        self.codes[code.sha] = code
        values = {name: self.best.values.get(name, knob.default) for name, knob in code.knobs.items()}
        attrs = self._draw(seed).system_attrs if self.method.overrides else {}
        self._gate(self._run(Kind.EDIT, code, values, attrs), code)

    def _run(
        self, kind: Kind, code: Code, values: dict[str, KnobValue], attrs: dict[str, object] | None = None
    ) -> Observation:
        number, excess, noise = len(self.seen), self.world.memory_excess(values), next(self.noise[kind])
        parent = None if kind is Kind.BASELINE else self.best.number
        trial = Observation(number, kind, code.sha, values, "complete", parent=parent, system_attrs=attrs or {})
        if excess > 0:
            trial = replace(trial, state="pruned", vram_excess_gib=10 * excess)
        else:
            value = 1.0 + (self.world.true_value(code, values) + noise) / 1000
            trial = replace(trial, val_bpb=float(value))
        self.seen.append(trial)
        return trial

    def _gate(self, trial: Observation, code: Code) -> None:
        assert self.best.val_bpb is not None
        kept = trial.val_bpb is not None and self.best.val_bpb - trial.val_bpb > SIGMA / 1000
        self.history.append((trial.kind, kept))
        if kept:
            self.best = trial
            if code.sha != self.lineage[-1]:
                self.lineage.append(code.sha)


def regret_of(job: tuple[Method, str, int]) -> float:
    """One night's regret, in a process of the pool."""
    method, shift, repeat = job
    return Night(method, World(SHIFTS[shift], repeat), repeat).regret()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--first", type=int, default=0, help="number of the first repeat; each has a world of its own")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    repeats = range(arguments.first, arguments.first + arguments.repeats)
    jobs = [(method, shift, repeat) for method in METHODS for shift in SHIFTS for repeat in repeats]
    with multiprocessing.Pool(arguments.jobs) as pool:
        regrets = np.array(pool.map(regret_of, jobs, chunksize=4)).reshape(len(METHODS), len(SHIFTS), arguments.repeats)
    print(f"{'regret, milli-bpb':<28}" + "".join(f"{shift:>32}" for shift in SHIFTS))
    picks = np.random.default_rng(0).integers(arguments.repeats, size=(2000, arguments.repeats))
    for method, by_shift in zip(METHODS, regrets, strict=True):
        cells = []
        for row, ours in zip(by_shift, regrets[0], strict=True):
            behind, root = row - ours, np.sqrt(arguments.repeats)
            median = f"{np.median(row):.2f} ± {np.median(row[picks], axis=1).std():.2f}"
            cells.append(f"{median} ({behind.mean():+.2f} ± {behind.std(ddof=1) / root:.2f})")
        print(f"{method.name:<28}" + "".join(f"{cell:>32}" for cell in cells))


if __name__ == "__main__":
    main()
