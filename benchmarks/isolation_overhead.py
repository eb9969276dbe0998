"""What it costs that nobody trusts a trial: `run_trial` against `Supervisor.run`, in the sandbox that holds here, taking turns.

python benchmarks/isolation_overhead.py [--rounds 6] [--steps 500] [--eval-tokens 65536]

The compile cache is warm for both. The isolated side's start-up is that of a second trial: from the request to the
first training step, the warm process being at hand. For the in-process side the imports come on top; they are shown once.
The last line is the cost in a trial of 300 s: all that happens outside its budget, and what a step takes longer. A machine that
others use is faster now and slower then, so the sides change their order each round, and the ratio comes with its spread.
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
from contextlib import ExitStack
from pathlib import Path

# As trials have it (`isolation/environment.py` says why), so that both sides wait alike. Read where torch is imported, so before.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from autoresearch.data import catalog
from autoresearch.device import detect
from autoresearch.isolation.environment import clean_environment
from autoresearch.isolation.kernels import Kernels
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.presets import PRESETS, retarget
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import load, package_source
from autoresearch.sandbox.choose import choose
from autoresearch.sandbox.sandbox import Sandbox

PARTS = ("startup_seconds", "warmup_seconds", "training_seconds", "eval_seconds")
BUDGET = 300.0


def settings(folder: Path, steps: int, eval_tokens: int) -> TrialSettings:
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
        steps=steps,
    )


def import_seconds() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", "import autoresearch.trial"], check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--eval-tokens", type=int, default=2**16)
    asked = parser.parse_args()
    if asked.rounds < 2:
        parser.error(f"--rounds is {asked.rounds}: expected at least 2, for a spread")
    with tempfile.TemporaryDirectory() as name, ExitStack() as open_until_then:
        studies = Path(name)
        folder = studies / "study"
        rung = choose(studies, "cpu", clean_environment).rung
        sandbox = Sandbox.for_study(rung, folder, devices=False, hidden=[])
        supervisor = open_until_then.enter_context(
            Supervisor(folder / "cache", sandbox=sandbox, kernels=Kernels(studies / "kernels"))
        )
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "cache" / "inductor")
        from autoresearch.trial import run_trial

        given = settings(studies, asked.steps, asked.eval_tokens)
        sides: dict[str, Callable[[], TrialResult]] = {
            "in process": lambda: run_trial(given),
            "isolated": lambda: supervisor.run(given, folder / "trial", lineage=["a"]),
        }
        for run in sides.values():
            run()  # fills the caches
        rounds = []
        for number in range(asked.rounds):
            order = list(sides) if number % 2 else list(reversed(sides))
            rounds.append({side: dataclasses.asdict(sides[side]()) for side in order})
    print(f"{'median seconds':<18}{'in process':>12}{'isolated':>12}{'ratio':>8}")
    for part in PARTS:
        one, other = (statistics.median(times[side][part] for times in rounds) for side in sides)
        print(f"{part:<18}{one:>12.2f}{other:>12.2f}{other / one:>8.2f}")
    print(f"{'imports':<18}{import_seconds():>12.2f}{'':>12}")
    outside = [
        statistics.median(sum(times[side][part] for part in PARTS if part != "training_seconds") for times in rounds)
        for side in sides
    ]
    slower = [times["isolated"]["training_seconds"] / times["in process"]["training_seconds"] - 1 for times in rounds]
    lower, median, upper = statistics.quantiles(slower, n=4)
    error = statistics.stdev(slower) / len(slower) ** 0.5
    print(f"sandbox {rung.name}")
    print(
        f"a step takes {median:+.2%} (quartiles {lower:+.2%} and {upper:+.2%}; mean {statistics.mean(slower):+.2%} ± {error:.2%})"
    )
    spent = (outside[1] - outside[0]) / BUDGET
    print(f"in a trial of {BUDGET:.0f} s: outside its budget {spent:+.2%}, in all {spent + median:+.2%}")


if __name__ == "__main__":
    main()
