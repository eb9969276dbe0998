"""Warm-up: real training steps whose only lasting effect is that everything is compiled, tuned and allocated."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException

from .snapshot import undo_training


def warm_up(trainer: pl.Trainer, pl_module: pl.LightningModule, batches: Iterable[Any]) -> None:
    """Take one optimizer step on each of ``batches``, then undo them all.

    A step is Lightning's own: transfer to the device, forward and backward under the precision plugin, gradient clipping,
    and the module's hooks (``optimizer_step``, ``on_before_optimizer_step``, …), but no callback hears of it. Each batch is
    a whole step, also where the run accumulates gradients. A ``training_step`` that takes a ``dataloader_iter`` or that
    optimizes by hand is not supported.

    Args:
        trainer: A Trainer inside ``fit``, its strategy and optimizers set up.
        pl_module: The module that it trains.
        batches: What the train loader could yield: same structure, shapes and types, any content.

    Raises:
        MisconfigurationException: If the module optimizes by hand.
    """
    if not pl_module.automatic_optimization:
        raise MisconfigurationException(
            f"warmup_batches need automatic optimization, but `{type(pl_module).__name__}.automatic_optimization` is"
            " False. Leave warmup_batches empty."
        )
    loop = trainer.fit_loop.epoch_loop
    # A second one of Lightning's step takers, with counters of its own: `global_step` stays as it is.
    optimization = type(loop.automatic_optimization)(trainer)
    with undo_training(pl_module, trainer.optimizers), _in_private(trainer):
        for batch_idx, batch in enumerate(batches):
            on_device = _transfer(trainer, pl_module, batch)
            trainer._logger_connector.on_batch_start(on_device)  # `self.log` asks it for the batch size
            kwargs = loop._build_kwargs(OrderedDict(), on_device, batch_idx)
            optimization.run(trainer.optimizers[0], batch_idx, kwargs)
            trainer._logger_connector.on_batch_end()


def _transfer(trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any) -> Any:
    """Bring a batch to the device as the training loop does, through the hooks of the module or data module."""
    batch = trainer.precision_plugin.convert_input(batch)
    batch = pl_module._on_before_batch_transfer(batch, dataloader_idx=0)
    return trainer.strategy.batch_to_device(batch, dataloader_idx=0)


@contextmanager
def _in_private(trainer: pl.Trainer) -> Iterator[None]:
    """Hide the steps from callbacks and from logged metrics, and let each batch be a whole optimizer step."""
    loop = trainer.fit_loop.epoch_loop
    owners = (trainer, trainer._logger_connector, loop)
    before = [dict(vars(owner)) for owner in owners]
    scaling = trainer.precision_plugin.state_dict()
    vars(trainer).update(callbacks=[], accumulate_grad_batches=1)
    trainer._logger_connector.reset_metrics()  # new dicts: the old ones stay as they are
    loop._results = type(loop._results)(training=True)
    try:
        yield
    finally:
        for owner, attributes in zip(owners, before, strict=True):
            vars(owner).update(attributes)
        trainer.precision_plugin.load_state_dict(scaling)
