"""Waiting for an accelerator: its kernels run behind Python's back, so a clock read without waiting reads too early."""

import torch


def synchronize(device: torch.device) -> None:
    """Wait until ``device`` has finished all the work it was given; the CPU never has any left.

    Args:
        device: Where the model lives.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
