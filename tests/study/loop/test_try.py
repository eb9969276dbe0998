"""`study try`: one edit by hand, and the command editor in a whole night."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.study.editors.blocks import between
from autoresearch.study.edits import sha256_of
from autoresearch.study.records import Edit, Kind, Proposal, Revision, Status
from autoresearch.study.storage.ledger import Ledger

pytestmark = pytest.mark.slow
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_file_becomes_a_trial_like_any_other_after_the_baseline(
    sqlite_study: str, autoresearch: Run, check: Callable[[str], Ledger], tmp_path: Path
) -> None:
    best = tmp_path / "new.py"
    storage = ["--storage", sqlite_study]
    first = autoresearch("study", "diff", *storage, "baseline", "baseline")
    assert first.returncode != 0  # nothing was tried yet

    ledger = check(sqlite_study)
    text = ledger.revisions()[0].source
    best.write_text(text.replace("MUON_BETA2 = 0.95", "MUON_BETA2 = 0.9"), encoding="utf-8")
    done = autoresearch("study", "try", str(best), "-m", "a shorter memory", "--baseline-repeats", "2", *storage)
    assert done.returncode == 0, done.stderr
    history = check(sqlite_study).history()
    assert [trial.kind for trial in history] == [Kind.BASELINE, Kind.BASELINE, Kind.EDIT]
    assert history[-1].title == "a shorter memory"
    assert history[-1].status in (Status.KEEP, Status.DISCARD)
    assert done.stdout.startswith(f"trial 2\t{history[-1].status}\tval_bpb {history[-1].val_bpb:.6f}")

    again = autoresearch("study", "try", str(best), "-m", "once more", "--baseline-repeats", "2", *storage)
    assert again.returncode == 2
    assert "trial 2" in again.stderr
    assert "Traceback" not in again.stderr
    assert len(check(sqlite_study).history()) == 3

    # What was given up, and carried over since, is tried once; and the baselines that there are will do.
    other = text.replace("MUON_BETA2 = 0.95", "MUON_BETA2 = 0.8")
    best.write_text(other, encoding="utf-8")
    carried = carried_over(ledger, other)
    done = autoresearch("study", "try", str(best), "-m", "now", *storage)
    assert done.returncode == 0, done.stderr
    assert [trial.title for trial in check(sqlite_study).history()][3:] == ["now"]
    assert carried not in [proposal.key for _, proposal in ledger.waiting()]


def carried_over(ledger: Ledger, text: str) -> str:
    """What an interrupted `study try` leaves once a search has made it an edit of the incumbent that is; its key."""
    incumbent = ledger.incumbent()
    assert incumbent is not None
    base, name = ledger.revision(incumbent.revision), sha256_of(text)
    key = f"try:{name[:16]}:v7@v{incumbent.version}"
    edit = Edit(key, "before", "", between(base.source, text))
    ledger.add_revision(Revision(name, text, base.knobs, parent=base.sha256, title="before", blocks=edit.blocks))
    given = (0, incumbent.version, incumbent.number, "before")
    assert ledger.propose(Proposal(key, Kind.EDIT, name, incumbent.values, *given, edit=edit))
    return key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("MUON_BETA2 = 0.95", "MUON_BETA2 = = 0.95"), "invalid syntax"),
        (("import math\n", "import math\nimport socket\n"), "socket"),
        (("        gram = x @ x.mT\n", "        gram = x @ x @ x.mT @ x\n"), "two steps of one row"),
    ],
)
def test_a_file_that_cannot_run_is_refused_in_one_line_and_costs_no_trial(
    sqlite_study: str,
    autoresearch: Run,
    check: Callable[[str], Ledger],
    tmp_path: Path,
    change: tuple[str, str],
    words: str,
) -> None:
    bad = tmp_path / "bad.py"
    text = check(sqlite_study).revisions()[0].source
    assert change[0] in text
    bad.write_text(text.replace(*change), encoding="utf-8")
    done = autoresearch(
        "study", "try", str(bad), "-m", "bad", "--baseline-repeats", "1", "--min-delta", "0", "--storage", sqlite_study
    )
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert check(sqlite_study).history() == []  # not even the baseline


def test_a_night_with_a_command_takes_what_it_did_to_the_file(
    sqlite_study: str, autoresearch: Run, check: Callable[[str], Ledger], tmp_path: Path
) -> None:
    script = tmp_path / "agent.sh"
    script.write_text(
        "set -e\n"
        f"n=$(cat {tmp_path}/count 2>/dev/null || echo 0); echo $((n + 1)) > {tmp_path}/count\n"
        "test -s program.md && grep -q 'Change the file train.py' context.md && ! grep -q '<<<' context.md\n"
        "case $n in\n"
        '  0) sed -i "s/MUON_BETA2 = 0.95/MUON_BETA2 = 0.9/" train.py; echo "TITLE: a shorter memory";;\n'
        '  1) echo "cannot think today" >&2; exit 3;;\n'
        '  *) sed -i "s/MUON_BETA2 = 0.95/MUON_BETA2 = 0.8$n/" train.py; echo "TITLE: memory $n"; touch elsewhere;;\n'
        "esac\n",
        encoding="utf-8",
    )
    plan = ["--editor", f"command:sh {script}", "--edit-ratio", "1", "--baseline-repeats", "2", "--confirm", "0"]
    done = autoresearch("study", "optimize", "--storage", sqlite_study, *plan, "--trials", "14", "--min-delta", "10")
    assert done.returncode == 0, done.stderr
    edits = {trial.title: trial for trial in check(sqlite_study).history() if trial.kind is Kind.EDIT}
    assert edits["a shorter memory"].val_bpb is not None
    failed = [trial for trial in edits.values() if trial.status is Status.CRASH]
    assert [trial for trial in failed if "exit code 3" in trial.reason and trial.tail == "cannot think today"], failed
    assert not [trial for trial in failed if "\n" in trial.reason]
    assert "program" in done.stdout
