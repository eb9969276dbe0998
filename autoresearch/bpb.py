"""val_bpb: validation bits per byte, the one number by which everything here is judged.

Bits per byte does not depend on the vocabulary: the cross-entropy of the tokens in nats is divided by the bytes that
they stand for, and by ln 2. Special tokens stand for no bytes and are left out of both sums. The log-probabilities are
made here, from logits, so that they are normalised whatever the model does; and the rows are always the same rows in
the same order, whatever batch size the model trains with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autoresearch.errors import TrialError

# Float32 logits are scored so many at a time (2**28 bytes): a whole batch of them could fill a small device.
_LOGITS_AT_A_TIME = 2**26


@dataclass(frozen=True)
class Score:
    """A sum over the rows that were scored."""

    nats: float  # cross-entropy of all tokens that stand for bytes
    bytes: int  # that those tokens stand for
    tokens: int  # how many of them there are

    @property
    def bpb(self) -> float:
        """Bits per byte."""
        return self.nats / self.bytes / math.log(2)


def score_rows(forward: Callable[[Tensor], Tensor], rows: np.ndarray, token_bytes: Tensor, batch_size: int) -> Score:
    """Score a model on rows of tokens.

    Args:
        forward: Takes tokens `(B, T)` int64 on the device of `token_bytes`, returns logits `(B, T, V)`.
        rows: `(rows, T + 1)` of any integer type; position `i` predicts token `i + 1`.
        token_bytes: `(V,)` int32, the bytes that each token stands for, 0 for special tokens; on the model's device.
        batch_size: Rows a batch; changes memory and speed, not the result.

    Raises:
        TrialError: Logits of another shape, or not finite.
    """
    on_device = torch.from_numpy(rows.astype(np.int32)).to(token_bytes.device)
    nats = nats_of(forward, on_device[:, :-1], on_device[:, 1:], len(token_bytes), batch_size)
    return total(nats, on_device[:, 1:], token_bytes)


def nats_of(
    forward: Callable[[Tensor], Tensor], tokens: Tensor, targets: Tensor, vocab_size: int, batch_size: int
) -> Tensor:
    """Ask a model about rows, and say for each of their positions how badly it predicted: `(rows, T)` float32 nats.

    Args:
        forward: Takes tokens `(B, T)` int64, returns logits `(B, T, V)`.
        tokens: `(rows, T)` of any integer type.
        targets: `(rows, T)`, what should be predicted.
        vocab_size: V.
        batch_size: Rows a batch.

    Raises:
        TrialError: Logits of another shape.
    """
    nats = []
    # All rows are on the device at once, and the results stay there to the end: a copy or a look at a result in each
    # batch would leave a GPU idle.
    with torch.no_grad():
        for asked, aims in zip(torch.split(tokens, batch_size), torch.split(targets, batch_size), strict=True):
            logits = forward(asked.long())
            expect_shape(logits.shape, (*asked.shape, vocab_size))
            nats.append(token_nats(logits, aims.long()))
    return torch.cat(nats)


def total(nats: Tensor, targets: Tensor, token_bytes: Tensor) -> Score:
    """Sum up the nats of rows, `(rows, T)`, leaving special tokens out.

    Raises:
        TrialError: They are not finite.
    """
    target_bytes = token_bytes[targets.long()]  # (rows, T)
    # `where` and not a product: a model may well give a special token no probability at all.
    whole = torch.where(target_bytes > 0, nats, 0.0).sum(dim=1).cpu().double().sum().item()
    if not math.isfinite(whole):
        raise TrialError("the model's logits on the validation rows are not finite")
    return Score(whole, int(target_bytes.sum().item()), int((target_bytes > 0).sum().item()))


def expect_shape(shape: Iterable[int], expected: tuple[int, ...]) -> None:
    """Raise a `TrialError` unless logits have the shape that they should."""
    if tuple(shape) != expected:
        raise TrialError(f"logits have shape {tuple(shape)}, expected {expected}")


def token_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each token in nats, from a log-softmax in float32: `(B, T, V)`, `(B, T)` -> `(B, T)` float32."""
    flat, aims = logits.flatten(0, 1), targets.flatten()
    step = max(1, _LOGITS_AT_A_TIME // logits.size(-1))
    parts = [
        F.cross_entropy(flat[i : i + step].float(), aims[i : i + step], reduction="none")
        for i in range(0, len(aims), step)
    ]
    return torch.cat(parts).view_as(targets)
