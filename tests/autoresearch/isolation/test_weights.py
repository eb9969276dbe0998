"""Weights on their way: bytes and a list, and nothing that runs."""

from __future__ import annotations

import os

import pytest
import torch

from autoresearch.errors import TrialError
from autoresearch.isolation.channel import Nonsense
from autoresearch.isolation.messages import Trained, understand
from autoresearch.isolation.shared_memory import allow_no_more_writing, mapped, shared_memory
from autoresearch.isolation.weights import read_weights, write_weights

ROOM = 2**16


def test_every_type_and_shape_arrives_as_it_was() -> None:
    draw = torch.Generator().manual_seed(0)
    state = {
        "matrix": torch.randn(3, 5, generator=draw),
        "not contiguous": torch.randn(4, 6, generator=draw).t(),
        "half": torch.randn(7, generator=draw).bfloat16(),
        "whole": torch.arange(5),
        "truth": torch.tensor([True, False]),
        "number": torch.tensor(2.5, dtype=torch.float64),
        "nothing": torch.empty(0, 3),
    }
    with shared_memory(ROOM) as descriptor:
        entries = write_weights(descriptor, ROOM, state)
        arrived = read_weights(descriptor, entries)
    assert list(arrived) == list(state)
    for name, tensor in state.items():
        assert arrived[name].dtype == tensor.dtype
        assert torch.equal(arrived[name], tensor), name


def test_what_is_no_tensor_is_named() -> None:
    with (
        shared_memory(ROOM) as descriptor,
        pytest.raises(TrialError, match="extra in the model's state_dict is a dict"),
    ):
        write_weights(descriptor, ROOM, {"extra": {"lr": 0.1}})


def test_more_than_there_is_room_for_is_refused() -> None:
    with shared_memory(ROOM) as descriptor, pytest.raises(TrialError, match="the model's state takes"):
        write_weights(descriptor, ROOM, {"large": torch.zeros(ROOM)})


def test_after_the_end_nobody_can_write_any_more() -> None:
    with shared_memory(ROOM) as descriptor:
        allow_no_more_writing(descriptor)
        with pytest.raises(OSError, match="not permitted"):
            os.pwrite(descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            mapped(descriptor, ROOM)
        assert mapped(descriptor, ROOM, writable=False)[0] == 0


TRAINED = {
    "kind": "trained",
    "warmup_seconds": 1.0,
    "tokens_per_second": 1e4,
    "mfu_percent": None,
    "parameters": 5,
    "peak_memory_bytes": 9,
    "weights": [["a", "float32", [2, 3]], ["b", "bool", []]],
}


def test_a_list_of_tensors_is_understood() -> None:
    told = understand(TRAINED)
    assert isinstance(told, Trained)
    assert [(entry.name, entry.dtype, entry.shape) for entry in told.weights] == [
        ("a", "float32", (2, 3)),
        ("b", "bool", ()),
    ]


@pytest.mark.parametrize(
    "weights",
    [
        None,
        "a",
        [["a", "float32"]],
        [["a", "object", [2]]],
        [["a", "float32", [-1]]],
        [["a", "float32", "2"]],
        [["a", "float32", [2**40]]],
        [["a", "float32", [2]], ["a", "float32", [2]]],
        [[7, "float32", [2]]],
        [["a", "float32", []]] * 20_001,
    ],
)
def test_a_list_that_cannot_be_is_nonsense(weights: object) -> None:
    with pytest.raises(Nonsense):
        understand(TRAINED | {"weights": weights})
