"""The trusted half of a trial: which rows are asked, how many at a time, and the arithmetic on the answers.

It knows a model only as a function from tokens to logits, be it in this process or in another one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autoresearch.bpb import Score, nats_of, score_rows, total
from autoresearch.data.locked_test import open_test_rows
from autoresearch.device import Device
from autoresearch.questions import drift, nats_by_row, plan, plan_thorough, refuse, refuse_drift, worst_disagreements
from autoresearch.records import TrialSettings

# Tokens judged at a time, whatever the trial's own batch: enough to keep a GPU busy with 2 GiB of float32 logits at a
# vocabulary of 8,192; few enough to stay near a CPU's caches.
_EVAL_TOKENS_ON_GPU, _EVAL_TOKENS_ON_CPU = 2**16, 2**11

# Nats. Kernels add up in another order for another batch; 16-bit numbers have three digits.
_ROUNDING = {"32-true": 1e-3, "bf16-mixed": 0.1}

Forward = Callable[[Tensor], Tensor]  # tokens (B, T) int64 -> logits (B, T, V)


@dataclass(frozen=True)
class Probing:
    """How thoroughly a model is probed."""

    tolerance: float  # nats by which two answers may differ for rounding alone
    thorough_below: float | None = None  # bits a byte: a better score has all of its rows probed
    share: float = 1 / 16  # of the rows that are probed in any case ...
    least: int = 32  # ... and how many at least
    repeated: int = 8  # rows that are asked again as they are


@dataclass(frozen=True)
class Examined:
    """What an examination came to."""

    score: Score
    test: Score | None
    difference: float  # nats; the most by which two answers that must agree differed
    in_full: bool  # every row was probed


def rows_at_a_time(settings: TrialSettings) -> int:
    """How many rows the model is asked about at a time: decided by the device and the length of a row alone."""
    return rows_on(settings.device, settings.row_tokens)


def rows_on(device: Device, row_tokens: int) -> int:
    """The same for a device and the length of a row."""
    return max(1, (_EVAL_TOKENS_ON_CPU if device.kind == "cpu" else _EVAL_TOKENS_ON_GPU) // row_tokens)


def judge(forward: Forward, settings: TrialSettings, device: torch.device) -> Score:
    """Score a model that is trusted on the validation split; it and the arithmetic are on `device`."""
    rows = _asked(settings.dataset.val_rows(settings.context), settings)
    return score_rows(forward, rows, _token_bytes(settings, device), batch_size=rows_at_a_time(settings))


def examine(
    open_process: Callable[[], AbstractContextManager[Forward]],
    settings: TrialSettings,
    device: torch.device,
    probing: Probing,
    also_test: bool = False,
) -> Examined:
    """Score a model that nobody trusts, and probe whether it plays by the rules (`questions.py`).

    Args:
        open_process: Gives a fresh process with the trained weights each time, as a function from tokens to logits.
        settings: The trial's.
        device: Where the arithmetic is done.
        probing: How thoroughly.
        also_test: Score on the locked test split as well.

    Raises:
        Cheat: Two answers that must agree do not.
        TrialError: Logits of another shape, or not finite.
    """
    rows = [_asked(settings.dataset.val_rows(settings.context), settings)]
    if also_test:
        rows.append(_asked(open_test_rows(settings.dataset, settings.context), settings))
    papers = [_Paper(split, settings, device, probing) for split in rows]
    for process in (0, 1):
        with open_process() as forward:
            for paper in papers:
                paper.put(process, forward)
    scores = [paper.score() for paper in papers]
    below = probing.thorough_below
    in_full = below is not None and scores[0].bpb < below
    if in_full:
        with open_process() as forward:
            for paper in papers:
                paper.put_thorough(forward)
    difference = max(paper.refuse_disagreement() for paper in papers)
    return Examined(scores[0], scores[1] if also_test else None, difference, in_full)


def arithmetic_device(device: Device) -> torch.device:
    """Where a judge in a process of its own reckons: on the GPU if it is NVIDIA's, else on the CPU."""
    return device.torch_device if device.kind == "cuda" else torch.device("cpu")


def tolerance_for(device: Device) -> float:
    """Nats by which two answers to the same question may differ for rounding, before a baseline has shown how much it is."""
    return _ROUNDING[device.precision]


class _Paper:
    """The questions on one split, and the answers to them."""

    def __init__(self, rows: np.ndarray, settings: TrialSettings, device: torch.device, probing: Probing) -> None:
        self._tokens, self._targets = rows[:, :-1].astype(np.int32), rows[:, 1:].astype(np.int32)
        self._settings, self._device, self._probing = settings, device, probing
        self._random = np.random.default_rng()  # from the system's entropy: no revision can know it
        probed = max(probing.least, round(probing.share * len(rows)))
        self._sheets = list(plan(self._tokens, probed, probing.repeated, self._random))
        self._answers: list[np.ndarray] = []

    def put(self, process: int, forward: Forward) -> None:
        """Ask one of the two processes its questions."""
        sheet = self._sheets[process]
        tokens = torch.from_numpy(sheet.tokens).to(self._device)
        targets = torch.from_numpy(self._targets[sheet.rows]).to(self._device)
        vocab_size, batch_size = self._settings.dataset.vocab_size, rows_at_a_time(self._settings)
        nats = nats_of(forward, tokens, targets, vocab_size, batch_size) if len(sheet) else tokens.float()
        self._answers.append(nats.cpu().numpy())

    def put_thorough(self, forward: Forward) -> None:
        """Probe all rows in a third process."""
        self._sheets.append(plan_thorough(self._tokens, self._sheets, self._random))
        self.put(len(self._sheets) - 1, forward)

    def score(self) -> Score:
        """From the answers to the rows as they stand."""
        found = torch.from_numpy(self._found()).to(self._device)
        targets = torch.from_numpy(self._targets).to(self._device)
        return total(found, targets, _token_bytes(self._settings, self._device))

    def refuse_disagreement(self) -> float:
        """Raise a Cheat where two answers that must agree do not; else return by how much they differ at the most."""
        # Rows that are asked again as they are come first: a model that mixes rows fails its probes, too, for that reason.
        found = self._found()
        worst = worst_disagreements(found, self._sheets, self._answers)
        for disagreement in worst:
            refuse(disagreement, self._probing.tolerance, self._tokens.shape[1])
        refuse_drift(drift(found, self._sheets, self._answers), self._probing.tolerance)
        return max(disagreement.nats for disagreement in worst)

    def _found(self) -> np.ndarray:
        return nats_by_row(self._sheets, self._answers, len(self._tokens))


def _asked(rows: np.ndarray, settings: TrialSettings) -> np.ndarray:
    return rows[: max(1, settings.eval_tokens // settings.row_tokens)]


def _token_bytes(settings: TrialSettings, device: torch.device) -> Tensor:
    return torch.from_numpy(settings.dataset.token_bytes.copy()).to(device)
