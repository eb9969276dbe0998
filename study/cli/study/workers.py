"""Several worker processes of one run on this machine, one for each GPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
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

    They are in sessions of their own, so that a signal reaches this process alone and is passed on once. When this process
    dies, however it dies, its end of their standard input closes, and they end as on SIGTERM (`end_with_parent`).
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "autoresearch.study.cli", *arguments, "--worker", str(index)],
            env={**environment, **_share_of_machine(index, workers, device)},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        for index in range(workers)
    ]
    passed_on = False
    for process in processes:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_LOOK_SECONDS)
            if interrupts.received and not passed_on:
                passed_on = True
                for other in processes:
                    other.send_signal(interrupts.received)
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    # A negative code is a signal's, which a shell knows as 128 and more.
    return max(128 - code if code < 0 else code for code in (process.wait() for process in processes))


def end_with_parent() -> None:
    """Send this process SIGTERM when the one that started it is gone: nobody would be left to end it."""

    def watch() -> None:
        os.read(0, 1)  # nothing is ever written to it
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _share_of_machine(index: int, workers: int, device: Device) -> dict[str, str]:
    """Its own GPU, or its share of the cores: threads beyond those make every worker slower, several times over."""
    if device.kind == "cuda":
        gpus = torch.cuda.device_count()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        return {"CUDA_VISIBLE_DEVICES": visible[index]}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}
