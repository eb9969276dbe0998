"""A night whose trials are scored by the test: the planner, the ledger and the database are real."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoresearch.knobs import Knob
from autoresearch.revision import load
from autoresearch.study.edit_queue import Check
from autoresearch.study.editors.editor import EditContext, Editor
from autoresearch.study.editors.replay import ReplayEditor
from autoresearch.study.edits import sha256_of
from autoresearch.study.planner import Plan, Planner
from autoresearch.study.records import Edit, Proposal, Status, TrialRecord
from autoresearch.study.search.policy import Ratio, Stagnation
from autoresearch.study.settings import StudySettings
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

SETTINGS = StudySettings(
    preset="cpu",
    seconds=60.0,
    steps=None,
    data="builtin",
    fingerprint="f" * 64,
    vocab_size=2048,
    context=256,
    eval_tokens=1000,
    device="cpu",
    machine="a machine",
    precision="32-true",
    compiled=False,
    seed=7,
    torch="2",
)
GOOD = {"search": "0.85 + 0.10 * min(", "replace": "0.86 + 0.09 * min("}
OTHER = {"search": "fraction / hp.warmup_ratio", "replace": "(fraction / hp.warmup_ratio) ** 2"}
GONE = {"search": "there is no such line", "replace": ""}
BROKEN = {"search": "class GPT(", "replace": "class Gone("}
ALWAYS_EDIT = Ratio(1.0)
PATIENCE = 60.0  # seconds; after a failed test nobody waits for ever


def knobs_of(source: str) -> Mapping[str, Knob]:
    """The knobs of a text, read in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{sha256_of(source)[:16]}.py")
        path.write_text(source, encoding="utf-8")
        return load(path).knobs


def figures(number: int, val_bpb: float, seed: int) -> dict[str, Any]:
    """The fields of a TrialResult; each trial's differ."""
    return {
        "val_bpb": val_bpb,
        "training_seconds": 60.25 + number,
        "startup_seconds": 3.5 + number,
        "warmup_seconds": 5.75 + number,
        "eval_seconds": 2.125 + number,
        "total_seconds": 71.0 + number,
        "peak_memory_bytes": int((1.25 + number / 4) * 2**30),
        "mfu_percent": 38.5 + number,
        "tokens": 966_656 + 2048 * number,
        "tokens_per_second": 16_110.9 + number,
        "epochs": 0.3 + number / 100,
        "steps": 472 + number,
        "parameters": 1_179_904 + number,
        "eval_tokens": 131_072,
        "seed": seed,
    }


class SlowReplay(ReplayEditor):
    """Recorded edits by an editor that is asked beside the trials, and answers when the test says so."""

    is_slow = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_closed = threading.Event()
        self._may_answer = threading.Event()

    def propose(self, context: EditContext) -> Edit | None:
        self._may_answer.wait(PATIENCE)
        return super().propose(context)

    def answer(self) -> None:
        """Have it answer who has asked, and wait until that is done."""
        self._may_answer.set()
        drafts_end()
        self._may_answer.clear()

    def close(self) -> None:
        self.is_closed.set()
        self._may_answer.set()


def drafts_end() -> None:
    """Wait for what goes on beside the trials."""
    for thread in threading.enumerate():
        if thread.name == "draft":
            thread.join(PATIENCE)


class Night:
    """A study whose trials are scored by the test."""

    def __init__(self, database: Database, name: str = "night") -> None:
        self.ledger = Ledger(database, open_study(database, name))
        self.run = self.ledger.start_run({})
        self.worker = self.ledger.open_lease(self.run)
        self.notes: list[str] = []

    def plan(self, editor: Path | Editor | None = None, **changes: Any) -> Plan:
        """How it is searched; a path is that of recorded edits."""
        given: dict[str, Any] = {
            "sampler": "hybrid",
            "policy": Stagnation(),
            "editor": ReplayEditor(editor) if isinstance(editor, Path) else editor,
            "baseline_repeats": 2,
            "min_delta": 0.01,
        }
        return Plan(**given | changes)

    def planner(self, editor: Path | Editor | None = None, *, check: Check | None = None, **changes: Any) -> Planner:
        """One that plans for this night."""
        plan = self.plan(editor, **changes)
        return Planner(self.ledger, SETTINGS, plan, knobs_of, self.notes.append, check=check)

    def claim(self, planner: Planner) -> tuple[TrialRecord, Proposal]:
        identity, proposal = planner.next()
        trial = self.ledger.claim(identity, self.run, self.worker)
        assert isinstance(trial, TrialRecord)
        return trial, proposal

    def score(self, planner: Planner, trial: TrialRecord, val_bpb: float) -> TrialRecord:
        self.ledger.start(trial.number, self.worker)
        assert self.ledger.judge(trial.number, self.worker, val_bpb, None, figures(trial.number, val_bpb, trial.seed))
        self.ledger.settle(trial.number, planner.threshold(trial))
        return self.ledger.trial(trial.number)

    def next(self, planner: Planner, val_bpb: float) -> tuple[TrialRecord, Proposal]:
        trial, proposal = self.claim(planner)
        if proposal.error:
            self.ledger.fail(trial.number, self.worker, Status.CRASH, proposal.error)
            return self.ledger.trial(trial.number), proposal
        return self.score(planner, trial, val_bpb), proposal

    def baseline(self, planner: Planner) -> None:
        self.next(planner, 1.50)
        self.next(planner, 1.52)
