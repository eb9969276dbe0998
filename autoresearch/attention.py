"""Causal attention with a sliding window: one function, the fastest correct kernel for the device.

`scaled_dot_product_attention` has no window argument, and a dense mask costs it its fastest kernels, so the choice
is made here once instead of in every `train.py`:

| where | full window | short window |
| --- | --- | --- |
| CUDA with a flash-attention package | FA3 (`flash_attn_interface`, Hopper) or FA2 (`flash_attn`) | the same |
| CUDA, 16-bit | `scaled_dot_product_attention` (flash or cuDNN kernel) | torch's own `varlen_attn` |
| elsewhere | `scaled_dot_product_attention` | the same, with a boolean mask |
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn


def _installed(package: str) -> Callable[..., Any] | None:
    if importlib.util.find_spec(package) is None:
        return None
    kernel: Callable[..., Any] = importlib.import_module(package).flash_attn_func
    return kernel


# Looked up here and not at the first call, which may be inside a compiled region.
_FLASH_3 = _installed("flash_attn_interface")  # Hopper only
_FLASH_2 = _installed("flash_attn")


def causal_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Softmax attention in which position `i` sees the positions `i - window` to `i`.

    Args:
        q: Queries, `(B, T, heads, head_dim)`.
        k: Keys, `(B, T, kv_heads, head_dim)`; `kv_heads` divides `heads`, and neighbouring query heads share one.
        v: Values, like `k`.
        window: How many earlier positions are visible; `T - 1` or more is full causal attention.

    Returns:
        `(B, T, heads, head_dim)`.
    """
    if q.is_cuda and q.element_size() == 2:  # every fast CUDA kernel wants float16 or bfloat16
        major, _ = torch.cuda.get_device_capability(q.device)
        flash = _FLASH_3 if _FLASH_3 is not None and major == 9 else _FLASH_2 if major >= 8 else None
        if flash is not None:
            return _flash(flash, q, k, v, window)
        if window < q.size(1) - 1:
            return _varlen(q, k, v, window)
    return _sdpa(q, k, v, window)


def _sdpa(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, heads, T, head_dim)
    full = window >= q.size(2) - 1
    out = F.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=None if full else _window_mask(q.size(2), window, q.device),
        is_causal=full,
        enable_gqa=q.size(1) != k.size(1),
    )
    return out.transpose(1, 2)


def _window_mask(length: int, window: int, device: torch.device) -> Tensor:
    """`(T, T)` bool, True where the key (column) is visible to the query (row)."""
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]
    return (distance >= 0) & (distance <= window)


def _varlen(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    batch, length = q.shape[:2]
    starts = torch.arange(0, (batch + 1) * length, length, dtype=torch.int32, device=q.device)  # (B + 1,)
    out = varlen_attn(
        q.flatten(0, 1),
        k.flatten(0, 1),
        v.flatten(0, 1),
        starts,
        starts,
        length,
        length,
        window_size=(window, 0),
        enable_gqa=q.size(2) != k.size(2),
    )
    assert isinstance(out, Tensor)  # a pair only where the log-sum-exp is asked for
    return out.view_as(q)


def _flash(flash_attn_func: Callable[..., Any], q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    out: Any = flash_attn_func(q, k, v, causal=True, window_size=(window, 0))
    first: Tensor = out[0] if isinstance(out, tuple) else out  # early releases of FA3 return the log-sum-exp as well
    return first
