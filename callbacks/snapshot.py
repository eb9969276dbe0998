"""Undo training: whatever steps are taken inside the context, the module and its optimizers come out as they went in.

Everything is put back *in place*: the same tensor objects, in the same memory, with the same bytes. Compiled code that
guards on a parameter's identity therefore stays valid, and weights tied by object or by memory stay tied.

What is restored:

- every tensor that a submodule or an optimizer holds (parameters, persistent and other buffers, optimizer state, the
  state of torchmetrics), with its gradient;
- every attribute of a submodule or an optimizer (train/eval mode, counters, hyperparameters in ``param_groups``), and the
  content of attributes that are dicts or lists. What did not exist before, such as the moments that Adam makes at its
  first step, is gone again;
- the random states of Python, NumPy, torch and the accelerators.

What is not: files, and objects of other classes that a module changes from within. A function that a module compiles and
stores *during* a step is forgotten with the other new attributes, so compile it in the constructor.
``torch.compile(optimizer.step)`` traces the creation of its state and has to trace it again; an optimizer that creates
its state in plain Python and compiles the update does not.

The copies are kept in host memory, because a model may fill more than half of its accelerator: the cost is one copy of
the parameters and buffers (4 GB for 10^9 float32 parameters), plus the optimizer's state where there is some already.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn
from torch.optim import Optimizer

Restore = Callable[[], Any]  # puts a remembered object back to what it was, and returns that same object

_MISSING = object()


@contextmanager
def undo_training(module: nn.Module, optimizers: Iterable[Optimizer]) -> Iterator[None]:
    """Take back, on leaving, all that happened to ``module``, ``optimizers`` and the random states.

    Args:
        module: The module, with all its submodules.
        optimizers: The optimizers of its parameters.
    """
    memory = _Memory()
    restores = [memory.remember(vars(submodule)) for submodule in module.modules()]
    restores += [memory.remember(optimizer) for optimizer in optimizers]
    with _undo_random():
        try:
            yield
        finally:
            for restore in restores:
                restore()


@contextmanager
def _undo_random() -> Iterator[None]:
    on_mps = torch.backends.mps.is_available()
    mps_state = torch.mps.get_rng_state() if on_mps else None
    # A process that trains on the CPU must not start CUDA only to save a random state that it never uses.
    cuda_runs: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    with isolate_rng(include_cuda=cuda_runs):
        yield
    if mps_state is not None:
        torch.mps.set_rng_state(mps_state)


class _Memory:
    """Remembers objects, each once, however often it is met."""

    def __init__(self) -> None:
        self._restores: dict[int, Restore] = {}  # by id(); each keeps its object alive, so no id is used twice
        self._storages: dict[tuple[str, int], Restore] = {}  # by device and address

    def remember(self, value: Any) -> Restore:
        """Return what puts ``value`` back; anything but a tensor, optimizer, dict, list or tuple is itself already."""
        if id(value) in self._restores:
            return self._restores[id(value)]
        if not isinstance(value, torch.Tensor | Optimizer | dict | list | tuple):
            return lambda: value
        self._restores[id(value)] = lambda: value  # met again from within itself, an object stands for itself
        if isinstance(value, torch.Tensor):
            restore = self._remember_tensor(value)
        elif isinstance(value, Optimizer):
            restore = self._remember_optimizer(value)
        elif isinstance(value, dict):
            restore = self._remember_dict(value)
        else:
            restore = self._remember_sequence(value)
        self._restores[id(value)] = restore
        return restore

    def _remember_tensor(self, tensor: torch.Tensor) -> Restore:
        # Today's memory, shape and strides, whatever `tensor.data` is pointed at later.
        alias = tensor.detach()
        restore_storage = self._remember_storage(alias.untyped_storage())
        restore_grad = self.remember(tensor.grad) if tensor.is_leaf else None

        def restore() -> torch.Tensor:
            restore_storage()
            tensor.data = alias
            if restore_grad is not None:
                tensor.grad = restore_grad()
            return tensor

        return restore

    def _remember_storage(self, storage: torch.UntypedStorage) -> Restore:
        key = (str(storage.device), storage.data_ptr())
        if key not in self._storages:
            # The storage and not the tensor: views share it, expanded tensors cannot be written element by element,
            # and bytes know no rounding and no two zeros.
            saved = torch.empty(storage.nbytes(), dtype=torch.uint8, device="cpu").untyped_storage()
            saved.copy_(storage)
            self._storages[key] = lambda: storage.copy_(saved)
        return self._storages[key]

    def _remember_optimizer(self, optimizer: Optimizer) -> Restore:
        restore_attributes = self.remember(vars(optimizer))

        def restore() -> Optimizer:
            restore_attributes()
            return optimizer

        return restore

    def _remember_dict(self, mapping: dict[Any, Any]) -> Restore:
        restores = {key: self.remember(value) for key, value in mapping.items()}

        def restore() -> dict[Any, Any]:
            values = {key: restore_value() for key, restore_value in restores.items()}
            if list(mapping) != list(values):
                mapping.clear()
                mapping.update(values)
            for key, value in values.items():
                if (
                    mapping.get(key, _MISSING) is not value
                ):  # an untouched dict stays untouched: compiled code may guard it
                    mapping[key] = value
            return mapping

        return restore

    def _remember_sequence(self, sequence: list[Any] | tuple[Any, ...]) -> Restore:
        restores = [self.remember(value) for value in sequence]

        def restore() -> list[Any] | tuple[Any, ...]:
            values = [restore_value() for restore_value in restores]
            if isinstance(sequence, list):
                sequence[:] = values
            return sequence

        return restore
