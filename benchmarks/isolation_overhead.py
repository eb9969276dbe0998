"""What it costs to run a trial in a process of its own: `run_trial` and `Supervisor.run` side by side, taking turns.

python benchmarks/isolation_overhead.py [--rounds 3] [--eval-tokens 32768]

The compile cache is warm for both. The isolated side's start-up is that of a second trial: from the request to the
first training step, the warm process being at hand. For the in-process side the imports come on top; they are shown once.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autoresearch.data import catalog
from autoresearch.device import detect
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.presets import PRESETS, retarget
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import load, package_source

PARTS = ("startup_seconds", "warmup_seconds", "eval_seconds")


def settings(folder: Path, eval_tokens: int) -> TrialSettings:
    preset = PRESETS["cpu"]
    source = folder / "train.py"
    source.write_text(retarget(package_source(), preset), encoding="utf-8")
    return TrialSettings(
        source=source,
        values={name: knob.default for name, knob in load(source).knobs.items()},
        dataset=catalog.fitting(preset.vocab_size, preset.context),
        device=detect("cpu"),
        seconds=1.0,
        seed=0,
        eval_tokens=eval_tokens,
        steps=2,
    )


def import_seconds() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", "import autoresearch.trial"], check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--eval-tokens", type=int, default=2**15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Supervisor(Path(name) / "cache") as supervisor:
        folder = Path(name)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "cache" / "inductor")
        from autoresearch.trial import run_trial

        given = settings(folder, asked.eval_tokens)
        sides: dict[str, Callable[[], TrialResult]] = {
            "in process": lambda: run_trial(given),
            "isolated": lambda: supervisor.run(given, folder / "trial"),
        }
        for run in sides.values():
            run()  # fills the caches
        rounds = [{side: dataclasses.asdict(run()) for side, run in sides.items()} for _ in range(asked.rounds)]
    print(f"{'median seconds':<18}{'in process':>12}{'isolated':>12}{'ratio':>8}")
    for part in PARTS:
        one, other = (statistics.median(times[side][part] for times in rounds) for side in sides)
        print(f"{part:<18}{one:>12.2f}{other:>12.2f}{other / one:>8.2f}")
    print(f"{'imports':<18}{import_seconds():>12.2f}{'':>12}")


if __name__ == "__main__":
    main()
