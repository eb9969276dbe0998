"""The trusted half of a trial: which rows are asked, how many at a time, and the arithmetic on the answers.

It knows a model only as a function from tokens to logits, be it in this process or in another one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from autoresearch.bpb import Score, score_rows
from autoresearch.data.locked_test import open_test_rows
from autoresearch.device import Device
from autoresearch.records import TrialSettings

# Tokens judged at a time, whatever the trial's own batch: enough to keep a GPU busy with 2 GiB of float32 logits at a
# vocabulary of 8,192; few enough to stay near a CPU's caches.
_EVAL_TOKENS_ON_GPU, _EVAL_TOKENS_ON_CPU = 2**16, 2**11


def rows_at_a_time(settings: TrialSettings) -> int:
    """How many rows the model is asked about at a time: decided by the device and the length of a row alone."""
    return rows_on(settings.device, settings.row_tokens)


def rows_on(device: Device, row_tokens: int) -> int:
    """The same for a device and the length of a row."""
    return max(1, (_EVAL_TOKENS_ON_CPU if device.kind == "cpu" else _EVAL_TOKENS_ON_GPU) // row_tokens)


def judge(forward: Callable[[Tensor], Tensor], settings: TrialSettings, device: torch.device) -> Score:
    """Score on the validation split; `forward` and the arithmetic are on `device`."""
    return _score(forward, settings.dataset.val_rows(settings.context), settings, device)


def judge_on_test(forward: Callable[[Tensor], Tensor], settings: TrialSettings, device: torch.device) -> Score:
    """Score on the locked test split, for the final report alone."""
    return _score(forward, open_test_rows(settings.dataset, settings.context), settings, device)


def arithmetic_device(device: Device) -> torch.device:
    """Where a judge in a process of its own reckons: on the GPU if it is NVIDIA's, else on the CPU."""
    return device.torch_device if device.kind == "cuda" else torch.device("cpu")


def _score(
    forward: Callable[[Tensor], Tensor], rows: np.ndarray, settings: TrialSettings, device: torch.device
) -> Score:
    asked = rows[: max(1, settings.eval_tokens // settings.row_tokens)]
    token_bytes = torch.from_numpy(settings.dataset.token_bytes.copy()).to(device)
    return score_rows(forward, asked, token_bytes, batch_size=rows_at_a_time(settings))
