"""The share of a study's wall clock that is spent inside training budgets: a real `study optimize`, start to end.

python benchmarks/study_time.py [--budget 20] [--trials 10]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autoresearch.study.records import SCORED, TrialRecord
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

EDITS = Path(__file__).parent.parent / "examples" / "edits.jsonl"
PARTS = ("startup_seconds", "warmup_seconds", "training_seconds", "eval_seconds")


def optimize(storage: str, budget: float, trials: int) -> float:
    """Seconds of the whole command, from a shell's point of view."""
    command = [sys.executable, "-m", "autoresearch.study.cli", "study", "optimize", "--storage", storage]
    plan = ["--budget", str(budget), "--trials", str(trials), "--confirm", "0", "--editor", f"replay:{EDITS}"]
    began = time.perf_counter()
    subprocess.run([*command, *plan], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def gaps(history: list[TrialRecord]) -> list[float]:
    """Seconds from the end of one trial to the claim of the next."""
    pairs = itertools.pairwise(history)
    return [later.created_at - earlier.finished_at for earlier, later in pairs if earlier.finished_at is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=20.0)
    parser.add_argument("--trials", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/study.db"
        whole = optimize(storage, arguments.budget, arguments.trials)
        database = Database.open(storage, create=False)
        history = Ledger(database, open_study(database, None)).history()
    runs = [run for trial in history for run in (trial.result, trial.result.get("other_run", {})) if run]
    inside = sum(run.get("training_seconds", 0.0) for run in runs)
    scored = [trial for trial in history if trial.status in SCORED]
    outside = (whole - inside) / len(runs)
    print(
        f"{len(history)} trials, {len(scored)} of them scored, {len(runs)} runs (an implausible gain is run twice) "
        f"in {whole:.1f} s; {inside:.1f} s inside budgets"
    )
    print(
        f"share inside budgets {inside / whole:.1%}; with budgets of 300 s and as much outside {300 / (300 + outside):.1%}"
    )
    for part in PARTS:
        print(
            f"{part:<18}{statistics.median(trial.result[part] for trial in scored):8.2f}  median of the scored trials"
        )
    print(f"{'between trials':<18}{statistics.median(gaps(history)):8.2f}")


if __name__ == "__main__":
    main()
