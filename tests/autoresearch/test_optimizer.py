"""MuonAdamW against an independent implementation in numpy and float64: one matrix at a time, no stacking."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from autoresearch.train import MuonAdamW, adamw, muon, orthogonalise

STEPS = 6

# Polar Express (arXiv:2505.16932), the five polynomials of the reference implementation, to their last digit.
POLAR_EXPRESS = [
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
]


def reference_adamw(p: np.ndarray, gradients: list[np.ndarray], lr: float, decay: float, betas: tuple[float, float]):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        p = p - lr * decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + 1e-10)
    return p


def polar_express(g: np.ndarray) -> np.ndarray:
    """Apply the odd polynomials to the singular values, which is what the matrix products do without an SVD."""
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    s = s / (np.linalg.norm(g) * 1.02 + 1e-6)
    for a, b, c in POLAR_EXPRESS:
        s = a * s + b * s**3 + c * s**5
    return (u * s) @ vt


def reference_muon(p: np.ndarray, gradients: list[np.ndarray], lr: float, decay: float, momentum: float) -> np.ndarray:
    rows, columns = p.shape
    buffer = np.zeros_like(p)
    second = np.zeros(max(rows, columns))
    for g in gradients:
        buffer = momentum * buffer + (1 - momentum) * g
        update = polar_express(momentum * buffer + (1 - momentum) * g)
        mean_square = (update**2).mean(axis=1 if rows >= columns else 0)  # of each neuron
        second = 0.95 * second + 0.05 * mean_square
        divisor = np.sqrt(np.maximum(second, 1e-10))
        scaled = update / (divisor[:, None] if rows >= columns else divisor[None, :])
        scaled *= np.linalg.norm(update) / np.linalg.norm(scaled)
        rate = lr * math.sqrt(max(1.0, rows / columns))
        shrinking = (scaled * p) >= 0
        p = p - rate * scaled - rate * decay * p * shrinking
    return p


def train(optimizer: MuonAdamW, parameters: list[torch.nn.Parameter], gradients: list[list[np.ndarray]]) -> None:
    for step in range(STEPS):
        for parameter, series in zip(parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(series[step].copy())
        optimizer.step()


def random(shape: tuple[int, ...], count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for _ in range(count)]


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12), (1, 7)])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_muon_matches_the_reference_on_stacked_matrices(shape: tuple[int, int], decay: float) -> None:
    starts = random(shape, 3, seed=1)
    gradients = [random(shape, STEPS, seed=10 + i) for i in range(3)]
    parameters = [torch.nn.Parameter(torch.from_numpy(start.copy())) for start in starts]
    group: Any = muon(parameters, lr=0.02, decay=decay) | {"momentum": 0.9}
    train(MuonAdamW([group]), parameters, gradients)
    for parameter, start, series in zip(parameters, starts, gradients, strict=True):
        expected = reference_muon(start, series, 0.02, decay, 0.9)
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_matches_the_reference(decay: float) -> None:
    (start,), series = random((4, 3), 1, seed=2), random((4, 3), STEPS, seed=3)
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    train(MuonAdamW([adamw([parameter], 0.05, decay, (0.8, 0.95))]), [parameter], [series])
    expected = reference_adamw(start, series, 0.05, decay, (0.8, 0.95))
    np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-10)


def test_adamw_matches_torch() -> None:
    (start,), series = random((4, 3), 1, seed=2), random((4, 3), STEPS, seed=3)
    ours, theirs = (torch.nn.Parameter(torch.from_numpy(start.copy())) for _ in range(2))
    train(MuonAdamW([adamw([ours], 0.05, 0.1, (0.8, 0.95))]), [ours], [series])
    torchs = torch.optim.AdamW([theirs], lr=0.05, betas=(0.8, 0.95), eps=1e-10, weight_decay=0.1)
    for gradient in series:
        theirs.grad = torch.from_numpy(gradient.copy())
        torchs.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 64, 16), (2, 16, 64)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    gradients = torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    singular = torch.linalg.svdvals(orthogonalise(gradients))
    assert singular.min() > 0.8
    assert singular.max() < 1.2


def test_a_parameter_without_a_gradient_stays_as_it_is() -> None:
    moved, still = (torch.nn.Parameter(torch.ones(3, 3)) for _ in range(2))
    optimizer = MuonAdamW([muon([moved, still], lr=0.1, decay=0.0)])
    moved.grad = torch.eye(3)
    optimizer.step()
    assert torch.equal(still, torch.ones(3, 3))
    assert not torch.equal(moved, torch.ones(3, 3))
