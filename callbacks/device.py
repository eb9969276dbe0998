"""What a callback asks of the device: to finish its work before a clock is read, and how much memory it has taken."""

import sys

import torch


def synchronize(device: torch.device) -> None:
    """Wait until ``device`` has finished all the work it was given; the CPU never has any left.

    An accelerator's kernels run behind Python's back: a clock read without waiting is read too early.

    Args:
        device: Where the model lives.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory(device: torch.device) -> int:
    """Bytes at the peak: of tensors on CUDA, of the driver now on MPS, and of the whole process on the CPU.

    Args:
        device: Where the model lives. On the CPU of a system without `resource` (Windows) the answer is 0, for unknown.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # KiB everywhere but on macOS
