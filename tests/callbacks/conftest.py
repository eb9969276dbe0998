"""A clock that moves only when told, a module that tells it, and a Trainer without frills on the CPU."""

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0  # a monotonic clock starts anywhere

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Tiny(pl.LightningModule):
    """Linear regression; each micro-batch takes the next of `seconds`, and returns the next of `losses` if there are any."""

    def __init__(
        self,
        clock: Clock | None = None,
        seconds: float | list[float] = 1.0,
        losses: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.net = nn.Linear(2, 1)
        self.clock = clock
        self.seconds = repeat(seconds) if isinstance(seconds, float) else iter(seconds)
        self.losses = losses
        self.fractions: list[float] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if self.clock is not None:
            self.clock.advance(next(self.seconds))
        loss = self.net(batch).square().mean()
        if self.losses is not None:
            loss = loss * 0 + self.losses[len(self.fractions)]
        self.fractions.append(getattr(self, "budget_fraction", -1.0))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.1)


class Loader:
    """An epoch of these batches. (Lightning takes a bare list for a collection of loaders.)"""

    def __init__(self, batches: list) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Endless:
    """Yields `(4, 2)` float32 batches for ever, always the same ones."""

    def __iter__(self) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        while True:
            yield torch.randn(4, 2, generator=generator)


def _fit(
    module: pl.LightningModule,
    *callbacks: pl.Callback,
    batches: list | None = None,
    val: list | None = None,
    ckpt_path: Path | None = None,
    **options: Any,
) -> pl.Trainer:
    options = {"max_epochs": -1, "accelerator": "cpu"} | options
    trainer = pl.Trainer(
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    train_loader = Endless() if batches is None else Loader(batches)
    trainer.fit(module, train_loader, None if val is None else Loader(val), ckpt_path=ckpt_path)
    return trainer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tiny() -> type[Tiny]:
    return Tiny


@pytest.fixture
def fit():
    """Fit a module on endless batches, or on `batches`, with the callbacks; return the Trainer."""
    return _fit
