import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from autoresearch.knobs import Knob, check
from autoresearch.study.records import Kind
from autoresearch.study.search.observations import Observation, Target
from autoresearch.study.search.propose import propose

SAMPLERS = ("hybrid", "tpe", "cmaes", "random")
CONTEXT = 2048


def score(values, best_lr=0.1):
    return 1.0 + 0.01 * math.log(values["matrix_lr"] / best_lr) ** 2 + 0.2 * (values["weight_decay"] - 0.3) ** 2


def night(sampler, target, observations, trials, objective=score):
    """Samples one after the other on the same code and around the same incumbent."""
    observations = list(observations)
    for _ in range(trials):
        draw = propose(sampler, target, observations, seed=len(observations))
        observations.append(
            Observation(
                number=len(observations),
                kind=Kind.SAMPLE,
                revision=target.revision,
                values=draw.values,
                state="complete",
                val_bpb=objective(draw.values),
                parent=0,
                system_attrs=draw.system_attrs,
            )
        )
    return observations


@pytest.fixture
def target(knobs, defaults):
    return Target("a", ("a",), defaults, {"a": knobs}, CONTEXT)


@pytest.fixture
def baseline(defaults):
    return Observation(0, Kind.BASELINE, "a", defaults, "complete", score(defaults))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_values_are_complete_and_in_range(sampler, target, baseline):
    for observation in night(sampler, target, [baseline], 25)[1:]:
        assert observation.values.keys() == target.axes.keys()
        for name, value in observation.values.items():
            check(target.axes[name].knob, value)
        json.dumps(dict(observation.values) | dict(observation.system_attrs))  # a database takes them


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_batch_sizes_go_together(sampler, target, baseline):
    for observation in night(sampler, target, [baseline], 15):
        rows, tokens = observation.values["device_batch_size"], observation.values["total_batch_size"]
        assert tokens % (rows * CONTEXT) == 0


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_floats_are_short_enough_to_type(sampler, target, baseline):
    for observation in night(sampler, target, [baseline], 12):
        for name in ("matrix_lr", "weight_decay"):
            assert float(f"{observation.values[name]:.6g}") == observation.values[name]


IN_ANOTHER_PROCESS = """
import json, pickle, sys
from autoresearch.study.search.propose import propose
arguments = pickle.load(sys.stdin.buffer)
draws = [propose(sampler, target, seen, seed) for sampler, target, seen, seed in arguments]
print(json.dumps([[draw.values, draw.system_attrs] for draw in draws]))
"""


def test_another_process_proposes_the_same(target, baseline):
    import pickle

    arguments = [
        (sampler, target, night(sampler, target, [baseline], trials), 7) for sampler in SAMPLERS for trials in (3, 20)
    ]
    draws = [propose(*each) for each in arguments]

    answer = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS], input=pickle.dumps(arguments), capture_output=True, check=True
    )

    assert json.loads(answer.stdout) == [[draw.values, draw.system_attrs] for draw in draws]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_order_of_the_rows_does_not_matter_but_the_seed_does(sampler, target, baseline):
    seen = night(sampler, target, [baseline], 14)

    assert propose(sampler, target, seen, 7) == propose(sampler, target, seen[::-1], 7)
    assert propose(sampler, target, seen, 7) != propose(sampler, target, seen, 8)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_values_are_not_tried_twice_while_others_are_left(sampler):
    knobs = {"depth": Knob("depth", int, 4, Int(3, 5)), "window": Knob("window", str, "S", Choice(("S", "L")))}
    target = Target("a", ("a",), {"depth": 4, "window": "S"}, {"a": knobs}, CONTEXT)
    baseline = Observation(0, Kind.BASELINE, "a", target.values, "complete", 1.0)

    seen = night(sampler, target, [baseline], 5, objective=lambda values: 1.0 + values["depth"] / 100)

    assert len({tuple(sorted(observation.values.items())) for observation in seen}) == 6
    night(sampler, target, seen, 1, objective=lambda _: 1.0)  # nothing new is left: drawn all the same


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_failed_trials_are_not_learnt_from_but_not_repeated_either(sampler, target, baseline):
    failed = replace(baseline, number=1, kind=Kind.SAMPLE, state="fail", val_bpb=None)
    draw = propose(sampler, target, [baseline, failed], 0)

    assert draw.values != failed.values


def numbers(count):
    """Knobs without a choice between texts, which CMA-ES cannot move along."""
    knobs = [Knob(f"x{place}", float, 0.9, Float(0.0, 1.0)) for place in range(count)]
    return {knob.name: knob for knob in knobs}


def bowl(values):
    return sum((value - 0.25) ** 2 for value in values.values())


def test_cmaes_goes_through_generations_and_converges():
    knobs = numbers(4)
    start = {name: knob.default for name, knob in knobs.items()}
    target = Target("a", ("a",), start, {"a": knobs}, CONTEXT)

    seen = night("cmaes", target, [Observation(0, Kind.BASELINE, "a", start, "complete", bowl(start))], 80, bowl)

    generations = [observation.system_attrs["cma:generation"] for observation in seen[1:]]
    assert generations == sorted(generations)
    assert generations[-1] >= 8
    assert np.mean([bowl(observation.values) for observation in seen[-10:]]) < 0.06  # at random: 0.58


def test_cmaes_begins_anew_with_a_new_knob_and_is_not_random_from_then_on():
    knobs = numbers(3)
    start = {name: knob.default for name, knob in knobs.items()}
    before = Target("a", ("a",), start, {"a": knobs}, CONTEXT)
    seen = night("cmaes", before, [Observation(0, Kind.BASELINE, "a", start, "complete", bowl(start))], 20, bowl)
    more = knobs | {"y": Knob("y", float, 0.9, Float(0.0, 1.0))}
    edit = Observation(len(seen), Kind.EDIT, "b", start | {"y": 0.9}, "complete", bowl(start), parent=0)
    after = Target("b", ("a", "b"), edit.values, {"a": knobs, "b": more}, CONTEXT)

    resumed = night("cmaes", after, [*seen, edit], 80, bowl)

    generations = [observation.system_attrs.get("cma:generation") for observation in resumed[len(seen) + 1 :]]
    assert generations[0] == 0
    assert generations[-1] >= 8
    assert np.mean([bowl(observation.values) for observation in resumed[-10:]]) < 0.06


def test_cmaes_goes_on_after_an_edit_that_leaves_the_knobs_alone():
    knobs = numbers(3)
    start = {name: knob.default for name, knob in knobs.items()}
    before = Target("a", ("a",), start, {"a": knobs}, CONTEXT)
    seen = night("cmaes", before, [Observation(0, Kind.BASELINE, "a", start, "complete", bowl(start))], 20, bowl)
    edit = Observation(len(seen), Kind.EDIT, "b", start, "complete", 0.1, parent=0)
    after = Target("b", ("a", "b"), start, {"a": knobs, "b": knobs}, CONTEXT)

    draw = propose("cmaes", after, [*seen, edit], 0)

    assert draw.system_attrs["cma:generation"] >= seen[-1].system_attrs["cma:generation"] > 0


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random"])
def test_plain_samplers_pool_trials_of_all_code(sampler, target, baseline, knobs):
    other = dict(knobs) | {"window_pattern": Knob("window_pattern", str, "X", Choice(("X", "SSSL")))}
    other.pop("weight_decay")
    values = {name: knob.default for name, knob in other.items()}
    rejected = Observation(1, Kind.EDIT, "z", values, "complete", 1.1, parent=0)
    fitting = Observation(2, Kind.EDIT, "z", values | {"window_pattern": "SSSL"}, "complete", 1.1, parent=0)
    pooling = replace(target, knobs={"a": knobs, "z": other})

    assert propose(sampler, pooling, [baseline, rejected, fitting], 3).values.keys() == knobs.keys()


@settings(max_examples=30, deadline=None)
@given(
    lr=st.floats(0.005, 0.2),
    decay=st.floats(0.0, 0.5),
    depth=st.integers(4, 24),
    steps=st.integers(1, 1000),
    window=st.sampled_from((0.5, 0.25, 0.125, 0.0625)),
    trials=st.integers(0, 14),
)
def test_hybrid_stays_in_a_box_around_the_incumbent(knobs, lr, decay, depth, steps, window, trials):
    incumbent = {name: knob.default for name, knob in knobs.items()} | {
        "matrix_lr": lr,
        "weight_decay": decay,
        "depth": depth,
        "momentum_warmup_steps": steps,
        "short_window": window,
    }
    target = Target("a", ("a",), incumbent, {"a": knobs}, CONTEXT)
    anywhere = [
        Observation(number, Kind.SAMPLE, "a", propose("random", target, [], number).values, "complete", number / 100)
        for number in range(trials)
    ]

    values = propose("hybrid", target, anywhere, trials).values

    assert abs(math.log(values["matrix_lr"] / lr)) <= 0.2 * math.log(0.2 / 0.005) + 1e-4
    assert abs(values["weight_decay"] - decay) <= 0.2 * 0.5 + 1e-5
    assert abs(values["depth"] - depth) <= 4
    ratio = abs(math.log(values["momentum_warmup_steps"] / steps))
    assert ratio <= 0.2 * math.log(1000) + 1e-9 or abs(values["momentum_warmup_steps"] - steps) == 1
    places = (0.0625, 0.125, 0.25, 0.5)
    assert abs(places.index(values["short_window"]) - places.index(window)) <= 1
