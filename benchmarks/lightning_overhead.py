"""Lightning and our callbacks against a bare PyTorch loop: the same model, the same batches, one process, interleaved.

Each round takes the same number of optimizer steps both ways, in turns, and compares the median step. The printed figure
is the median of the rounds' ratios, so that a slow minute of the machine falls on both sides.

    python benchmarks/lightning_overhead.py [--rounds 20] [--steps 30]
"""

from __future__ import annotations

import argparse
import itertools
import logging
import statistics
import time
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from autoresearch.callbacks import DivergenceGuard, StepBudget, Throughput
from autoresearch.device import Device, detect
from autoresearch.presets import preset_for
from autoresearch.train import GPT, Hyperparameters

UNMEASURED = 5  # steps at the start of each round


class StepTimes(Callback):
    """The clock at the end of each step."""

    def __init__(self) -> None:
        self.clock: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.clock.append(time.perf_counter())


def batches(rows: int, context: int, vocab_size: int, device: Device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    ready = [
        tuple(torch.randint(vocab_size, (rows, context), generator=generator).to(device.torch_device) for _ in "xy")
        for _ in range(8)
    ]
    return itertools.cycle(ready)  # type: ignore[arg-type]


def lightning_steps(model: LightningModule, data: Any, steps: int, device: Device) -> list[float]:
    times = StepTimes()
    trainer = Trainer(
        accelerator="gpu" if device.kind == "cuda" else device.kind,
        devices=1,
        precision=device.precision,
        max_epochs=-1,
        callbacks=[StepBudget(steps), Throughput(), DivergenceGuard(factor=100.0), times],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    return times.clock


def bare_steps(model: GPT, data: Any, steps: int, device: Device) -> list[float]:
    model.to(device.torch_device)
    optimizer, clock = model.configure_optimizers(), []
    for step, (tokens, targets) in enumerate(itertools.islice(data, steps)):
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.precision == "bf16-mixed"):
            loss = model.training_step((tokens, targets), step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        model.on_before_optimizer_step(optimizer)
        optimizer.step()
        loss.item()  # the guard's look at the loss is part of either loop
        clock.append(time.perf_counter())
    return clock


def median_step(clock: list[float]) -> float:
    return statistics.median(b - a for a, b in itertools.pairwise(clock[UNMEASURED:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
    device = detect()
    preset = preset_for(device)
    hp = Hyperparameters(**{name: default for name, (default, _) in preset.knobs.items()})  # type: ignore[arg-type]
    model = GPT(hp, preset.vocab_size, preset.context)
    data = batches(hp.device_batch_size, preset.context, preset.vocab_size, device)
    print(f"{device}; preset {preset.name}; {hp.device_batch_size} x {preset.context} tokens a step")
    ratios, both = [], []
    for _ in range(arguments.rounds + 1):
        bare = median_step(bare_steps(model, data, arguments.steps, device))
        lightning = median_step(lightning_steps(model, data, arguments.steps, device))
        both.append((bare, lightning))
        ratios.append(lightning / bare)
    del ratios[0], both[0]  # compilation
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"bare      {1000 * statistics.median(b for b, _ in both):8.2f} ms a step")
    print(f"Lightning {1000 * statistics.median(x for _, x in both):8.2f} ms a step")
    print(f"overhead  {100 * (middle - 1):+8.2f} %, quartiles {100 * (low - 1):+.2f} to {100 * (high - 1):+.2f} %")


if __name__ == "__main__":
    main()
