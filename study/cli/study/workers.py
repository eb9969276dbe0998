"""Several worker processes of one run on this machine, one for each GPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import torch

from autoresearch.device import Device
from autoresearch.errors import InputError
from autoresearch.study.interrupts import Interrupts

_LOOK_SECONDS = 0.5


def check_workers(workers: int, device: Device) -> None:
    """Raise an InputError where there are fewer GPUs than workers."""
    gpus = torch.cuda.device_count() if device.kind == "cuda" else 0
    if device.kind == "cuda" and workers > gpus:
        raise InputError(
            f"--workers is {workers}, but this machine has {gpus} GPUs: expected at most one worker for each"
        )


def run_workers(
    workers: int, device: Device, arguments: Sequence[str], environment: Mapping[str, str], interrupts: Interrupts
) -> int:
    """Run the command in so many processes until all have ended; the worst of their exit codes.

    A terminal's Ctrl-C reaches them by itself, as they share its process group. SIGTERM is passed on.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "autoresearch.study.cli", *arguments, "--worker", str(index)],
            env={**environment, **_share_of_machine(index, workers, device)},
        )
        for index in range(workers)
    ]
    passed_on = False
    for process in processes:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_LOOK_SECONDS)
            if interrupts.received is signal.SIGTERM and not passed_on:
                passed_on = True
                for other in processes:
                    other.send_signal(signal.SIGTERM)
    # A negative code is a signal's, which a shell knows as 128 and more.
    return max(128 - code if code < 0 else code for code in (process.wait() for process in processes))


def _share_of_machine(index: int, workers: int, device: Device) -> dict[str, str]:
    """Its own GPU, or its share of the cores: threads beyond those make every worker slower, several times over."""
    if device.kind == "cuda":
        gpus = torch.cuda.device_count()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        return {"CUDA_VISIBLE_DEVICES": visible[index]}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}
