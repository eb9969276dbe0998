"""One trial's measurement, where its code writes over the files that it lies in."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial

import pytest

from autoresearch.study.display import Plain
from autoresearch.study.edits import sha256_of
from autoresearch.study.measure import Circumstances, measure
from autoresearch.study.optimize import open_bench
from autoresearch.study.records import Kind, Proposal, Revision, TrialRecord
from autoresearch.study.request import Request
from autoresearch.study.storage.database import Database
from autoresearch.study.storage.ledger import Ledger
from autoresearch.study.storage.studies import open_study

WRITES_OVER_ITSELF = """

with open("train.py", "w") as file:
    file.write("raise RuntimeError('this is not what was to be run')")
"""
TIMES = {"startup_seconds": 10.0, "warmup_seconds": 10.0, "training_seconds": 10.0, "eval_seconds": 10.0}
AT_ONCE = Circumstances(
    threshold=0.0,
    max_gain=1e-9,
    watch=lambda progress: None,
    watch_again=lambda progress: None,
    note=lambda words: None,
    time_for_another=lambda: True,
    interruptible=nullcontext,
)


@pytest.mark.slow
def test_the_second_run_of_a_gain_has_its_text_from_the_database(sqlite_study: str) -> None:
    database = Database.open(sqlite_study, create=False)
    ledger = Ledger(database, open_study(database, None))
    propose = partial(Proposal, seed=0)
    run = ledger.start_run({}, None, None)
    worker = ledger.open_lease(run)

    def claimed(proposal: Proposal) -> TrialRecord:
        assert ledger.propose(proposal)
        [(identity, _)] = ledger.ready(proposal.incumbent_version)
        trial = ledger.claim(identity, run, worker)
        assert isinstance(trial, TrialRecord)
        ledger.start(trial.number, worker)
        return trial

    [first] = ledger.revisions()
    values = {name: knob.default for name, knob in first.knobs.items()}
    with open_bench(ledger, Request(device="cpu"), Plain(sys.stderr)) as bench:
        baseline = claimed(propose("baseline:0", Kind.BASELINE, first.sha256, values, incumbent_version=-1))
        ledger.judge(baseline.number, worker, 99.0, None, TIMES)
        ledger.settle(baseline.number, 0.0)
        text = first.source + WRITES_OVER_ITSELF
        ledger.add_revision(Revision(sha256_of(text), text, first.knobs, first.sha256))
        trial = claimed(propose("edit:0", Kind.EDIT, sha256_of(text), values, incumbent_version=0, parent=0))
        measured = measure(ledger, bench, trial, AT_ONCE)
    assert measured.other is not None
    assert {measured.result.seed, measured.other.seed} == {0, 999_983}
    database.close()
