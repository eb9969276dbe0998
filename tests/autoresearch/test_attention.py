"""The attention helper against softmax written out in float64."""

import math
from typing import Any

import pytest
import torch

from autoresearch.attention import _flash, causal_attention


def written_out(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
    """Masked softmax, position by position and head by head."""
    batch, length, heads, dim = q.shape
    out = torch.zeros(batch, length, heads, dim, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            shared = h // (heads // k.size(2))
            for i in range(length):
                seen = slice(max(0, i - window), i + 1)
                scores = k[b, seen, shared].double() @ q[b, i, h].double() / math.sqrt(dim)
                out[b, i, h] = scores.softmax(0) @ v[b, seen, shared].double()
    return out


def random_qkv(heads: int, kv_heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return (
        torch.randn(2, 12, heads, 8, generator=generator),
        torch.randn(2, 12, kv_heads, 8, generator=generator),
        torch.randn(2, 12, kv_heads, 8, generator=generator),
    )


@pytest.mark.parametrize("window", [1, 3, 6, 10, 11, 12, 2048])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_it_is_softmax_over_the_window(window: int, kv_heads: int) -> None:
    q, k, v = random_qkv(4, kv_heads)
    expected = written_out(q, k, v, window)
    torch.testing.assert_close(causal_attention(q, k, v, window).double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window", [3, 12])
def test_a_later_token_changes_nothing_before_it(window: int) -> None:
    q, k, v = random_qkv(2, 2)
    before = causal_attention(q, k, v, window)
    for tensor in (q, k, v):
        tensor[:, 8:] = 9.0
    torch.testing.assert_close(causal_attention(q, k, v, window)[:, :8], before[:, :8])


def test_a_short_window_hides_what_lies_before_it() -> None:
    q, k, v = random_qkv(2, 2)
    before = causal_attention(q, k, v, 3)
    k[:, :4], v[:, :4] = 9.0, 9.0
    torch.testing.assert_close(causal_attention(q, k, v, 3)[:, 7:], before[:, 7:])


def test_a_flash_package_is_called_with_the_window_and_may_return_the_log_sum_exp_too() -> None:
    calls: list[Any] = []

    def kernel(q: torch.Tensor, *arguments: Any, **options: Any) -> tuple[torch.Tensor, None]:
        calls.append(options)
        return q, None

    q, k, v = random_qkv(4, 2)
    assert _flash(kernel, q, k, v, 5) is q
    assert calls == [{"causal": True, "window_size": (5, 0)}]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("window", [100, 255])
@pytest.mark.parametrize("kv_heads", [4, 1])
def test_the_cuda_kernels_agree_with_the_cpu(window: int, kv_heads: int) -> None:
    generator = torch.Generator().manual_seed(7)
    q = torch.randn(2, 256, 4, 64, generator=generator).bfloat16()
    k, v = torch.randn(2, 2, 256, kv_heads, 64, generator=generator).bfloat16()
    there = causal_attention(q.cuda(), k.cuda(), v.cuda(), window).cpu().float()
    torch.testing.assert_close(there, causal_attention(q.float(), k.float(), v.float(), window), rtol=0.02, atol=0.02)
