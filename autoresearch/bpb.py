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
    nats, sizes = [], []
    # All rows go to the device at once, and row sums stay there to the end: a copy or a look at a result in each batch
    # would leave a GPU idle.
    on_device = torch.from_numpy(rows.astype(np.int32)).to(token_bytes.device)
    with torch.no_grad():
        for batch in torch.split(on_device, batch_size):
            tokens, targets = batch[:, :-1].long(), batch[:, 1:].long()
            logits = forward(tokens)
            expect_shape(logits.shape, (*tokens.shape, len(token_bytes)))
            target_bytes = token_bytes[targets]  # (B, T)
            # `where` and not a product: a model may well give a special token no probability at all.
            nats.append(torch.where(target_bytes > 0, token_nats(logits, targets), 0.0).sum(dim=1))
            sizes.append(torch.stack((target_bytes.sum(dim=1), (target_bytes > 0).sum(dim=1))))
    total = torch.cat(nats).cpu().double().sum().item()
    total_bytes, total_tokens = torch.cat(sizes, dim=1).cpu().sum(dim=1).tolist()
    if not math.isfinite(total):
        raise TrialError("the model's logits on the validation rows are not finite")
    return Score(total, total_bytes, total_tokens)


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
