"""Where the time of a trial goes: `autoresearch train` as a process, with an empty and then a warm compile cache.

python benchmarks/trial_time.py [--budget 20]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

PARTS = ("startup_seconds", "warmup_seconds", "training_seconds", "eval_seconds")


def run(budget: float, cache: str) -> dict[str, float]:
    command = [sys.executable, "-c", "from autoresearch.study.cli import main; main()", "train", "--json"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--budget", str(budget)],
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    whole = time.perf_counter() - began
    result = json.loads(done.stdout)
    parts = {part: float(result[part]) for part in PARTS}
    return {"imports and data": whole - result["total_seconds"]} | parts | {"whole process": whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=20.0)
    budget = parser.parse_args().budget
    run(0.1, tempfile.gettempdir() + "/autoresearch-benchmark-cache")  # prepares the corpus, if need be
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = run(budget, cache), run(budget, cache)
    print(f"{'seconds':<18}{'cold cache':>12}{'warm cache':>12}")
    for name in cold:
        print(f"{name:<18}{cold[name]:>12.1f}{warm[name]:>12.1f}")


if __name__ == "__main__":
    main()
