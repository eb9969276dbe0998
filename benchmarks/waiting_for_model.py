"""How long the accelerator waits for a language model: a real night against a local server that takes its time to answer.

python benchmarks/waiting_for_model.py [--budget 20] [--answer 4 6] [--trials 9]

A model that answers in 60 to 90 s and budgets of 300 s are scaled down by 15 on a CPU. The same night with samples alone is the
measure: what is more than its time between trials, the model costs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping

from autoresearch.study.model.script import Script, Turn
from autoresearch.study.model.server import Asked, ModelServer
from autoresearch.study.records import Kind, TrialRecord
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

PLACE = "MUON_BETA2 = 0.95"


def slow_replies(shortest: float, longest: float) -> Callable[[Asked], Turn]:
    """Edits of one constant, each another one, each after a while."""
    numbers, chance = itertools.count(), random.Random(0)

    def reply(asked: Asked) -> Turn:
        time.sleep(chance.uniform(shortest, longest))
        value = f"MUON_BETA2 = 0.9{next(numbers):03d}1"
        block = f"<<<<<<< SEARCH\n{PLACE}\n=======\n{value}\n>>>>>>> REPLACE"
        return Turn(f"TITLE: {value}\nHYPOTHESIS: none\n\n{block}")

    return reply


def night(storage: str, budget: float, trials: int, environment: Mapping[str, str], *editor: str) -> list[TrialRecord]:
    """The trials of a whole `study optimize`."""
    command = [sys.executable, "-m", "autoresearch.study.cli", "study", "optimize", "--storage", storage]
    # Nothing is promoted, so that every edit is one of the same text.
    plan = ["--budget", str(budget), "--trials", str(trials), "--confirm", "0", "--min-delta", "10"]
    subprocess.run([*command, *plan, *editor], stdout=subprocess.DEVNULL, env={**os.environ, **environment}, check=True)
    database = Database.open(storage, create=False)
    return Ledger(database, open_study(database, None)).history()


def gaps(history: list[TrialRecord]) -> list[float]:
    """Seconds in which nothing was tried, from the end of each trial to the claim of the next; edits that failed do not count."""
    tried = [trial for trial in history if trial.started_at is not None and trial.kind is not Kind.BASELINE]
    return [
        later.created_at - earlier.finished_at for earlier, later in itertools.pairwise(tried) if earlier.finished_at
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=20.0)
    parser.add_argument("--answer", type=float, nargs=2, default=(4.0, 6.0), metavar=("SHORTEST", "LONGEST"))
    parser.add_argument("--trials", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone = night(f"sqlite:///{folder}/alone.db", asked.budget, asked.trials, {}, "--editor", "none")
        with ModelServer(Script(itertools.repeat(slow_replies(*asked.answer)))) as server:
            model = {"ANTHROPIC_BASE_URL": server.url}
            edited = night(
                f"sqlite:///{folder}/edited.db",
                asked.budget,
                asked.trials,
                model,
                *("--editor", "anthropic", "--price", "0/0", "--edit-ratio", "1"),
            )
    kinds = [trial.kind for trial in edited if trial.started_at is not None and trial.kind is not Kind.BASELINE]
    without, with_model = statistics.mean(gaps(alone)), statistics.mean(gaps(edited))
    print(f"{len(kinds)} trials after the baseline, {kinds.count(Kind.EDIT)} of them edits")
    print(f"between trials, mean: {without:.3f} s with samples alone, {with_model:.3f} s with the model")
    waited = max(0.0, with_model - without)
    print(
        f"waiting for the model: {waited:.3f} s a trial, {waited / asked.budget:.2%} of a budget of {asked.budget:g} s"
    )


if __name__ == "__main__":
    main()
