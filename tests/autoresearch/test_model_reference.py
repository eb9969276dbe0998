"""The whole model against the same mathematics written out in float64, position by position; and what trains how."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from autoresearch.train import GPT, MLP, Hyperparameters, norm, rotate

SIZES: dict[str, Any] = {"depth": 3, "aspect_ratio": 16, "head_dim": 8, "window_pattern": "SL", "short_window": 0.5}
VOCAB, CONTEXT = 23, 10


def trained_gpt(**knobs: Any) -> GPT:
    torch.manual_seed(3)
    model = GPT(Hyperparameters(**(SIZES | knobs)), VOCAB, CONTEXT)
    with torch.no_grad():
        for parameter in model.parameters():  # nothing may stay at zero, or at one
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model


def rms(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True))


def rotated(x: np.ndarray, position: int, base: float) -> np.ndarray:
    half = len(x) // 2
    out = np.empty_like(x)
    for i in range(half):
        angle = position * base ** (-2 * i / len(x))
        out[i] = x[i] * math.cos(angle) + x[half + i] * math.sin(angle)
        out[half + i] = x[half + i] * math.cos(angle) - x[i] * math.sin(angle)
    return out


def written_out(weights: dict[str, np.ndarray], tokens: list[int], kv_heads: int, base: float) -> np.ndarray:
    """Logits `(T, V)` of one row, from the description of the model and not from its code."""
    depth, dim, width = 3, 8, 48
    heads = width // dim
    x = x0 = rms(weights["embedding.weight"][tokens])
    for layer in range(depth):
        x = weights["residual_scale"][layer] * x + weights["x0_scale"][layer] * x0
        a = f"blocks.{layer}.attention."
        h = rms(x)
        q = (h @ weights[a + "query.weight"].T).reshape(-1, heads, dim)
        k = (h @ weights[a + "key.weight"].T).reshape(-1, kv_heads, dim)
        v = (h @ weights[a + "value.weight"].T).reshape(-1, kv_heads, dim)
        if layer in (0, 2):  # alternating, the last among them
            gate = 2 / (1 + np.exp(-h[:, :32] @ weights[a + "gate.weight"].T))
            v = v + gate[:, :, None] * weights[a + "table.weight"][tokens].reshape(-1, kv_heads, dim)
        window = CONTEXT // 2 if layer == 0 else CONTEXT
        out = np.zeros((len(tokens), heads, dim))
        for t in range(len(tokens)):
            for head in range(heads):
                shared = head // (heads // kv_heads)
                query = rms(rotated(q[t, head], t, base))
                seen = range(max(0, t - window), t + 1)
                keys = [rms(rotated(k[s, shared], s, base)) for s in seen]
                scores = np.exp([query @ key / math.sqrt(dim) for key in keys])
                out[t, head] = sum(p * v[s, shared] for p, s in zip(scores / scores.sum(), seen, strict=True))
        x = x + out.reshape(-1, width) @ weights[a + "out.weight"].T
        hidden = np.maximum(rms(x) @ weights[f"blocks.{layer}.mlp.up.weight"].T, 0) ** 2
        x = x + hidden @ weights[f"blocks.{layer}.mlp.down.weight"].T
    logits = rms(x) @ weights["head.weight"].T
    return 15 * np.tanh(logits / 15)


@pytest.mark.parametrize(("query_group", "kv_heads"), [(1, 6), (2, 3)])
@pytest.mark.parametrize("rope_base", [1e4, 2e5])
def test_the_logits_are_those_of_the_mathematics(query_group: int, kv_heads: int, rope_base: float) -> None:
    model = trained_gpt(query_group=query_group, rope_base=rope_base)
    tokens = torch.randint(VOCAB, (2, CONTEXT), generator=torch.Generator().manual_seed(4))
    weights = {name: parameter.detach().double().numpy() for name, parameter in model.named_parameters()}
    expected = [written_out(weights, row.tolist(), kv_heads, rope_base) for row in tokens]
    np.testing.assert_allclose(model(tokens).detach().numpy(), np.stack(expected), rtol=1e-4, atol=1e-4)


def test_each_part_trains_at_its_own_rate() -> None:
    hp = Hyperparameters(
        depth=4,
        aspect_ratio=48,
        head_dim=64,
        embedding_weight_decay=0.001,
        value_embedding_weight_decay=0.003,
        unembedding_weight_decay=0.01,
    )
    model = GPT(hp, VOCAB, CONTEXT)
    scale = (192 / 768) ** -0.5
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: (group["kind"], group["lr"], group["weight_decay"], group.get("betas"))
        for group in model.configure_optimizers().param_groups
        for parameter in group["params"]
    }
    expected: dict[str, Any] = {
        "head.weight": ("adamw", pytest.approx(0.004 * scale), 0.01, (0.8, 0.95)),
        "embedding.weight": ("adamw", pytest.approx(0.6 * scale), 0.001, (0.8, 0.95)),
        "residual_scale": ("adamw", pytest.approx(0.005), 0.0, (0.8, 0.95)),
        "x0_scale": ("adamw", pytest.approx(0.5), 0.0, (0.96, 0.95)),
    }
    for name in set(names.values()) - set(expected):
        table = ("adamw", pytest.approx(0.6 * scale), 0.003, (0.8, 0.95))
        expected[name] = table if name.endswith("table.weight") else ("muon", 0.04, 0.2, None)
    assert found == expected


def test_weights_start_at_the_reference_s_scales() -> None:
    torch.manual_seed(0)
    model = GPT(Hyperparameters(depth=2, aspect_ratio=64, head_dim=64, init_scale=0.5, x0_init=0.05), 500, CONTEXT)
    bound = math.sqrt(3 / 128)
    for name, parameter in model.named_parameters():
        if name in ("residual_scale", "x0_scale"):
            assert parameter.tolist() == pytest.approx([1.0 if name == "residual_scale" else 0.05] * 2)
        elif name.endswith(("out.weight", "down.weight", "gate.weight")):
            assert parameter.abs().max() == 0, name
        elif name in ("embedding.weight", "head.weight"):
            assert parameter.std().item() == pytest.approx(1.0 if name == "embedding.weight" else 0.001, rel=0.02)
        else:
            limit = bound if name.endswith("table.weight") else bound / 2
            assert parameter.abs().max().item() == pytest.approx(limit, rel=0.01), name


@pytest.fixture
def cuda_autocast() -> Iterator[None]:
    """CUDA's autocast rules, for fake tensors; the context manager for users refuses to work without a GPU."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    with FakeTensorMode():
        yield
    torch.set_autocast_enabled("cuda", before[0])
    torch.set_autocast_dtype("cuda", before[1])


@pytest.mark.usefixtures("cuda_autocast")
def test_under_cuda_s_autocast_the_stream_keeps_its_sixteen_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the fast attention kernels, which want them, are never used, and memory traffic doubles."""
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda self, x: x)  # what lies between the products
    x = torch.empty(2, CONTEXT, 48, dtype=torch.bfloat16, device="cuda")
    angles = torch.empty(1, CONTEXT, 1, 4, dtype=torch.bfloat16, device="cuda")
    q = norm(rotate(x.view(2, CONTEXT, 6, 8), angles, angles))
    assert [norm(x).dtype, q.dtype, MLP(48)(x).dtype] == [torch.bfloat16] * 3
