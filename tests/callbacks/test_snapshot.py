import random

import numpy as np
import pytest
import torch
from torch import nn

from autoresearch.callbacks import undo_training


class Net(nn.Module):
    """One of everything: tied weights, dropout, batch norm, buffers of several kinds, plain attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 8, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("hidden", torch.zeros(8), persistent=False)
        self.register_buffer("cache", None)
        self.register_buffer("expanded", torch.tensor([1.0]).expand(8))
        self.calls = 0
        self.history: list[float] = []
        self.total = torch.zeros(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.history.append(random.random() + np.random.rand())
        self.total += 1
        self.hidden = self.hidden + 1  # another tensor, not the same one changed
        self.cache = torch.ones(3)
        self.new = "attribute"
        return self.head(self.drop(self.norm(self.embed(x)))) * self.expanded


def train(module: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        module(torch.randn(4, 8)).square().mean().backward()
        optimizer.step()


def tensor_bytes(tensors) -> list[bytes]:
    return [tensor.detach().numpy().tobytes() for tensor in tensors]


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def adam(net) -> torch.optim.Optimizer:
    return torch.optim.AdamW(net.parameters(), lr=0.1)


def test_parameters_come_back_byte_for_byte(net, adam):
    before = tensor_bytes(net.parameters())
    with undo_training(net, [adam]):
        train(net, adam)
        assert tensor_bytes(net.parameters()) != before
    assert tensor_bytes(net.parameters()) == before


def test_buffers_come_back_byte_for_byte_also_those_not_in_the_state_dict(net, adam):
    before = [name for name, _ in net.named_buffers()], tensor_bytes(net.buffers())
    with undo_training(net, [adam]):
        train(net, adam)
    assert ([name for name, _ in net.named_buffers()], tensor_bytes(net.buffers())) == before


def test_nan_and_negative_zero_come_back_as_they_were(net, adam):
    with torch.no_grad():
        net.embed.bias[:2] = torch.tensor([float("nan"), -0.0])
    before = tensor_bytes([net.embed.bias])
    with undo_training(net, [adam]):
        net.embed.bias.data.zero_()
    assert tensor_bytes([net.embed.bias]) == before


def test_parameters_stay_the_same_objects_in_the_same_memory(net, adam):
    before = [(id(parameter), parameter.data_ptr()) for parameter in net.parameters()]
    with undo_training(net, [adam]):
        for parameter in net.parameters():
            parameter.data = torch.zeros_like(parameter)
    assert [(id(parameter), parameter.data_ptr()) for parameter in net.parameters()] == before


def test_tied_weights_stay_tied(net, adam):
    with undo_training(net, [adam]):
        train(net, adam)
        net.head.weight = nn.Parameter(torch.zeros(8, 8))
    assert net.head.weight is net.embed.weight


def test_views_of_one_memory_come_back_byte_for_byte(net):
    flat = torch.randn(20)
    net.views = [flat[:10], flat[5:].view(3, 5)]
    before = tensor_bytes([flat])
    with undo_training(net, []):
        net.views[0].zero_()
        net.views[1].fill_(7.0)
    assert tensor_bytes([flat]) == before


def test_optimizer_state_that_was_not_there_vanishes(net, adam):
    with undo_training(net, [adam]):
        train(net, adam)
        assert len(adam.state) > 0
    assert len(adam.state) == 0
    assert adam.state_dict()["state"] == {}


def test_optimizer_state_that_was_there_comes_back_byte_for_byte(net, adam):
    train(net, adam)
    moments = [value for state in adam.state.values() for value in state.values()]
    before = tensor_bytes(moments)
    with undo_training(net, [adam]):
        train(net, adam)
        assert tensor_bytes(moments) != before
    assert tensor_bytes(moments) == before
    assert [id(value) for state in adam.state.values() for value in state.values()] == [id(m) for m in moments]


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
def test_hyperparameters_of_the_groups_come_back(net, lr):
    adam = torch.optim.AdamW(net.parameters(), lr=lr)
    with undo_training(net, [adam]):
        adam.param_groups[0]["lr"] *= 0.5
        adam.param_groups[0]["momentum"] = 0.9
    assert float(adam.param_groups[0]["lr"]) == pytest.approx(0.1)
    assert "momentum" not in adam.param_groups[0]


def test_the_state_of_an_optimizer_inside_an_optimizer_vanishes_too(net, adam):
    outer = torch.optim.SGD(net.parameters(), lr=0.1)
    outer.inner = adam
    adam.outer = outer  # a circle, as wrappers make them
    with undo_training(net, [outer]):
        train(net, adam)
    assert len(adam.state) == 0


def test_gradients_that_were_not_there_vanish(net, adam):
    with undo_training(net, [adam]):
        train(net, adam)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_gradients_that_were_there_come_back_byte_for_byte(net, adam):
    train(net, adam)
    before = [id(p.grad) for p in net.parameters()], tensor_bytes(p.grad for p in net.parameters())
    with undo_training(net, [adam]):
        train(net, adam)
    after = [id(p.grad) for p in net.parameters()], tensor_bytes(p.grad for p in net.parameters())
    assert after == before


def test_random_states_of_python_numpy_and_torch_come_back(net, adam):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    with undo_training(net, [adam]):
        train(net, adam)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_attributes_come_back_and_new_ones_vanish(net, adam):
    net.eval()
    with undo_training(net, [adam]):
        net.train()
        train(net, adam)
    assert (net.training, net.norm.training, net.calls, net.history, net.total.item()) == (
        False,
        False,
        0,
        [],
        0.0,
    )
    assert not hasattr(net, "new")


def test_all_is_undone_after_an_exception_too(net, adam):
    before = tensor_bytes(net.parameters())

    def fail() -> None:
        with undo_training(net, [adam]):
            train(net, adam)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fail()
    assert (tensor_bytes(net.parameters()), len(adam.state)) == (before, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_parameters_on_cuda_come_back_byte_for_byte_and_so_does_the_random_state(net):
    net.to("cuda")
    adam = torch.optim.AdamW(net.parameters(), lr=0.1)
    before = tensor_bytes(p.cpu() for p in net.parameters()), torch.cuda.get_rng_state().tolist()
    with undo_training(net, [adam]):
        net.embed(torch.randn(4, 8, device="cuda")).square().mean().backward()
        adam.step()
    assert (tensor_bytes(p.cpu() for p in net.parameters()), torch.cuda.get_rng_state().tolist()) == before
