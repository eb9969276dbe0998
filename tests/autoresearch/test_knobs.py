"""Knobs: declared in `train.py`, checked and set from text."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoresearch.errors import KnobError, RevisionError
from autoresearch.knobs import knobs_of, resolve
from autoresearch.train import Hyperparameters


@dataclass(frozen=True)
class Declared:
    depth: Annotated[int, IntDistribution(2, 12, step=2)] = 4
    rate: Annotated[float, FloatDistribution(0.01, 2.0, log=True)] = 0.5
    pattern: Annotated[str, CategoricalDistribution(("S", "L"))] = "L"
    rows: Annotated[int, CategoricalDistribution((8, 16))] = 8


def test_defaults_are_the_dataclass_s() -> None:
    assert resolve(knobs_of(Declared), []) == {"depth": 4, "rate": 0.5, "pattern": "L", "rows": 8}


def test_assignments_change_values_with_the_knob_s_type() -> None:
    values = resolve(knobs_of(Declared), ["depth=6", "rate = 1", "pattern=S", "rows=16"])
    assert values == {"depth": 6, "rate": 1.0, "pattern": "S", "rows": 16}
    assert isinstance(values["rate"], float)


def test_the_last_assignment_of_a_knob_counts() -> None:
    assert resolve(knobs_of(Declared), ["depth=6", "depth=8"])["depth"] == 8


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("depht=4", "there is no knob 'depht': did you mean 'depth'?"),
        ("zzz=4", "there is no knob 'zzz': the knobs are depth, rate, pattern, rows"),
        ("depth", "'depth' is no assignment: write NAME=VALUE, as in depth=4"),
        ("depth=", "'depth=' is no assignment: write NAME=VALUE, as in depth=4"),
        ("=4", "'=4' is no assignment: write NAME=VALUE, as in depth=4"),
        ("depth=four", "knob 'depth' takes a whole number, not 'four'"),
        ("depth=4.5", "knob 'depth' takes a whole number, not '4.5'"),
        ("rate=fast", "knob 'rate' takes a number, not 'fast'"),
        ("depth=14", "knob 'depth' is 14, expected 2 to 12 in steps of 2"),
        ("depth=3", "knob 'depth' is 3, expected 2 to 12 in steps of 2"),
        ("rate=3", "knob 'rate' is 3.0, expected 0.01 to 2.0"),
        ("rate=nan", "knob 'rate' is nan, expected 0.01 to 2.0"),
        ("rate=inf", "knob 'rate' is inf, expected 0.01 to 2.0"),
        ("pattern=X", "knob 'pattern' is 'X', expected one of S, L"),
        ("rows=12", "knob 'rows' is 12, expected one of 8, 16"),
    ],
)
def test_a_wrong_assignment_gets_one_clear_line(assignment: str, message: str) -> None:
    with pytest.raises(KnobError) as caught:
        resolve(knobs_of(Declared), [assignment])
    assert str(caught.value) == message


def test_every_knob_of_the_package_has_a_range_that_holds_its_default() -> None:
    assert list(knobs_of(Hyperparameters)) == list(Hyperparameters.__annotations__)


PUBLISHED: dict[str, tuple[Any, Any]] = {  # name: (default, range)
    "depth": (8, IntDistribution(4, 24)),
    "aspect_ratio": (64, IntDistribution(32, 128)),
    "head_dim": (128, CategoricalDistribution((64, 128, 256))),
    "device_batch_size": (128, CategoricalDistribution((32, 64, 128, 256))),
    "total_batch_size": (2**19, CategoricalDistribution([2**n for n in range(16, 22)])),
    "embedding_lr": (0.6, FloatDistribution(0.01, 2.0, log=True)),
    "unembedding_lr": (0.004, FloatDistribution(0.0005, 0.05, log=True)),
    "matrix_lr": (0.04, FloatDistribution(0.005, 0.2, log=True)),
    "scalar_lr": (0.5, FloatDistribution(0.05, 2.0, log=True)),
    "weight_decay": (0.2, FloatDistribution(0.0, 0.5)),
    "warmup_ratio": (0.0, FloatDistribution(0.0, 0.3)),
    "warmdown_ratio": (0.5, FloatDistribution(0.1, 0.8)),
    "final_lr_frac": (0.0, FloatDistribution(0.0, 0.2)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_search_space_is_there(name: str) -> None:
    knob = knobs_of(Hyperparameters)[name]
    assert (knob.default, knob.distribution) == PUBLISHED[name]


@pytest.mark.parametrize("pattern", ["SSSL", "SSLL", "SLSL", "LLLL", "SSSS", "LSSL", "SSSSL"])
def test_the_published_window_patterns_are_there(pattern: str) -> None:
    assert resolve(knobs_of(Hyperparameters), [f"window_pattern={pattern}"])["window_pattern"] == pattern


@pytest.mark.parametrize(
    "found",
    [
        {"depth": 9, "aspect_ratio": 57, "total_batch_size": 2**18, "warmdown_ratio": 0.75, "final_lr_frac": 0.05},
        {"window_pattern": "SSSSL", "short_window": 0.125, "rope_base": 200_000.0, "momentum_warmup_steps": 200},
        {"embedding_lr": 0.9, "unembedding_lr": 0.005, "x0_init": 0.05, "init_scale": 0.68},
        {"embedding_weight_decay": 0.001, "value_embedding_weight_decay": 0.003, "unembedding_weight_decay": 0.01},
    ],
)
def test_the_knobs_reach_what_the_published_night_found(found: dict[str, Any]) -> None:
    assert found.items() <= resolve(knobs_of(Hyperparameters), [f"{k}={v}" for k, v in found.items()]).items()


@dataclass(frozen=True)
class WithoutRange:
    depth: int = 4


@dataclass(frozen=True)
class WithoutDefault:
    depth: Annotated[int, IntDistribution(1, 4)]


@dataclass(frozen=True)
class OutOfItsRange:
    depth: Annotated[int, IntDistribution(1, 4)] = 5


@dataclass(frozen=True)
class OfAnotherType:
    depth: Annotated[list[int], IntDistribution(1, 4)] = None  # type: ignore[assignment]


class NoDataclass:
    depth: Annotated[int, IntDistribution(1, 4)] = 2


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (WithoutRange, "knob 'depth' must read"),
        (WithoutDefault, "knob 'depth' must read"),
        (OutOfItsRange, "default of knob 'depth' is 5, expected 1 to 4"),
        (OfAnotherType, "knob 'depth' must read"),
        (NoDataclass, "Hyperparameters must be a dataclass"),
    ],
)
def test_a_wrong_declaration_is_refused(declared: type, message: str) -> None:
    with pytest.raises(RevisionError, match=message):
        knobs_of(declared)
