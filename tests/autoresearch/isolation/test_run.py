"""A trial in a process of its own: the same as in this one, and nothing of this one in it."""

from __future__ import annotations

import json
import os
import threading
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autoresearch.errors import DataError, InputError, KnobError, RevisionError
from autoresearch.isolation.kernels import Kernels
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.knobs import knobs_of
from autoresearch.progress import Progress
from autoresearch.records import TrialSettings
from autoresearch.revision import load
from autoresearch.trial import run_trial

from .conftest import in_each_step, on_import, replacing

pytestmark = pytest.mark.slow
Make = Callable[..., TrialSettings]


def test_the_score_is_the_one_of_the_same_trial_in_this_process(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    isolated = supervisor.run(settings(), tmp_path / "trial")
    here = run_trial(settings())
    assert isolated.val_bpb == pytest.approx(here.val_bpb, abs=1e-5)
    counted = ("tokens", "steps", "parameters", "epochs", "eval_tokens", "seed")
    assert [getattr(isolated, name) for name in counted] == [getattr(here, name) for name in counted]


def test_sixteen_bit_training_scores_the_same_too(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    half = replacing("return self.SOFTCAP * torch.tanh(logits / self.SOFTCAP)", "return logits.bfloat16()")
    isolated = supervisor.run(settings(edit=half), tmp_path / "trial")
    assert isolated.val_bpb == pytest.approx(run_trial(settings(edit=half)).val_bpb, abs=1e-5)


def test_the_parts_of_the_time_add_up(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    result = supervisor.run(settings(), tmp_path / "trial")
    parts = (result.startup_seconds, result.warmup_seconds, result.training_seconds, result.eval_seconds)
    assert sum(parts) == pytest.approx(result.total_seconds)
    assert min(parts) > 0
    assert result.mfu_percent is None  # of a CPU it would say more about the neighbours
    assert result.peak_memory_bytes > 2**20


def test_a_budget_of_seconds_is_kept(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    result = supervisor.run(settings(steps=None, seconds=0.5), tmp_path / "trial")
    assert result.training_seconds >= 0.5


def test_each_tenth_of_the_budget_is_reported(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    seen: list[Progress] = []
    supervisor.run(settings(steps=40), tmp_path / "trial", seen.append)
    assert [progress.step for progress in seen] == sorted({progress.step for progress in seen})
    first = {}
    for progress in seen:
        first.setdefault(progress.tenths, progress.step)
    assert [first[tenth] for tenth in range(1, 11)] == list(range(4, 41, 4))
    assert (seen[-1].fraction, seen[-1].seconds_left) == (1.0, 0.0)


def test_a_slow_watcher_does_not_slow_the_run_nor_miss_a_tenth(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    done = tmp_path / "trial" / "done"
    leave_a_sign = in_each_step("if self.global_step == 39: open('done', 'w').close()")
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        while not done.exists():  # sleeps through nearly all of the run
            threading.Event().wait(0.02)
        seen.append(progress)

    supervisor.run(settings(edit=leave_a_sign, steps=40), tmp_path / "trial", watch)
    assert {progress.tenths for progress in seen} >= set(range(1, 11))
    assert len(seen) <= 22  # ten tenths, and no more than one between any two


def test_the_locked_test_split_is_scored_when_asked(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    result = supervisor.run(settings(), tmp_path / "trial", also_test=True)
    assert result.test_bpb is not None
    assert result.test_bpb != result.val_bpb
    assert result.test_bpb == pytest.approx(result.val_bpb, rel=0.2)
    assert supervisor.run(settings(), tmp_path / "again").test_bpb is None


def test_the_folder_holds_what_ran_and_what_it_printed(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    trial = tmp_path / "trial"
    given = settings(edit=on_import("import sys; print('out'); print('err', file=sys.stderr)"))
    supervisor.run(given, trial)
    assert sorted(path.name for path in trial.iterdir()) == ["log.txt", "train.py"]
    assert (trial / "train.py").read_text() == given.source.read_text()
    assert (trial / "log.txt").read_text().split() == ["out", "err"]


def test_no_secret_is_in_the_environment(tmp_path: Path, settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("ANTHROPIC_API_KEY", "OPTUNA_STORAGE", "TORCH_HUB_TOKEN", "CUDA_SECRET", "MY_PASSWORD", "AWS_PROFILE")
    for name in secrets:
        monkeypatch.setenv(name, "geheim")
    look = on_import("import json, os; json.dump([dict(os.environ), os.getcwd()], open('seen.json', 'w'))")
    trial = tmp_path / "trial"
    with Supervisor(tmp_path / "cache", rehearse=False) as fresh:
        fresh.knobs(look(settings().source.read_text()), trial)
    seen, folder = json.loads((trial / "seen.json").read_text())
    assert not set(secrets) & seen.keys()
    assert "geheim" not in seen.values()
    assert folder == str(trial.resolve())
    assert seen["TMPDIR"] == str(trial.resolve() / "tmp")
    assert seen["HOME"] == str(trial.resolve() / "tmp" / "compiled")


def test_a_trial_leaves_compiled_code_to_the_next_and_nothing_that_it_wrote_while_it_trained(
    tmp_path: Path, settings: Make
) -> None:
    steps = 30
    hidden = in_each_step("from pathlib import Path as P; P.home().joinpath('weights').open('a').write('x')")
    look = on_import(
        "from pathlib import Path as P\n"
        "P('seen').write_text(str({p.name: len(p.read_text()) for p in P.home().iterdir() if p.is_file()}))\n"
        "P.home().joinpath('kernel').write_text('compiled')"
    )
    given = settings(edit=lambda source: hidden(look(source)), steps=steps)
    with Supervisor(tmp_path / "cache", rehearse=False, kernels=Kernels(tmp_path / "kernels")) as fresh:
        for number in (1, 2):
            fresh.run(given, tmp_path / f"trial-{number}", lineage=["a"])
        fresh.run(given, tmp_path / "trial-3", lineage=["b"])
    first, second, stranger = (literal_eval((tmp_path / f"trial-{n}" / "seen").read_text()) for n in (1, 2, 3))
    assert (first, stranger) == ({}, {})
    assert second["kernel"] == len("compiled")
    assert second.get("weights", 0) < steps  # from the warm-up, on random tokens


def test_a_candidate_has_a_session_of_its_own_and_no_standard_input(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    look = on_import("import os, sys; open('seen', 'w').write(f'{os.getpid()} {os.getsid(0)} {sys.stdin.read()!r}')")
    supervisor.knobs(look(settings().source.read_text()), tmp_path / "trial")
    pid, session, text = (tmp_path / "trial" / "seen").read_text().split()
    assert pid == session
    assert int(session) != os.getsid(0)
    assert text == "''"


def test_the_knobs_are_those_that_the_file_declares(supervisor: Supervisor, tmp_path: Path, tiny_source: str) -> None:
    (tmp_path / "mine.py").write_text(tiny_source)
    expected = knobs_of(load(tmp_path / "mine.py").hyperparameters)
    assert supervisor.knobs(tmp_path / "mine.py", tmp_path / "from file") == expected
    assert supervisor.knobs(tiny_source, tmp_path / "from text") == expected


def test_a_revision_that_cannot_be_imported_names_its_line(
    supervisor: Supervisor, tmp_path: Path, tiny_source: str
) -> None:
    broken = tiny_source + "\nraise OSError('gone')\n"
    line = len(broken.splitlines())
    message = rf"train\.py failed: OSError: gone \(line {line}\)"
    with pytest.raises(RevisionError, match=message) as caught:
        supervisor.knobs(broken, tmp_path / "trial")
    assert "raise OSError('gone')" in caught.value.tail
    with pytest.raises(RevisionError, match=r"train\.py must define a class GPT"):
        supervisor.knobs(tiny_source.replace("class GPT(", "class BERT("), tmp_path / "trial")


def test_bad_settings_have_the_words_that_they_have_in_this_process(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    with pytest.raises(KnobError, match="total_batch_size 512 is no multiple of device_batch_size x context"):
        supervisor.run(settings(values=settings().values | {"device_batch_size": 32}), tmp_path / "trial")
    with pytest.raises(DataError, match="context 64 does not divide"):
        supervisor.run(settings(context=64), tmp_path / "trial")


def test_a_folder_that_cannot_be_written_is_one_line(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot write to .*file/trial: Not a directory"):
        supervisor.run(settings(), tmp_path / "file" / "trial")


def test_without_forks_each_job_has_a_new_process(settings: Make, tmp_path: Path) -> None:
    with Supervisor(tmp_path / "cache", forks=False, rehearse=False) as supervisor:
        knobs = supervisor.knobs(settings().source, tmp_path / "knobs")
        score = supervisor.run(settings(), tmp_path / "trial").val_bpb
    assert list(knobs) == list(settings().values)
    assert score == pytest.approx(run_trial(settings()).val_bpb, abs=1e-5)


def test_nothing_is_left_when_it_is_closed(settings: Make, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with Supervisor(tmp_path / "cache", rehearse=False) as supervisor:
        supervisor.knobs(settings().source, tmp_path / "trial")
        assert len(set(psutil.Process().children(recursive=True)) - before) == 1
    assert set(psutil.Process().children(recursive=True)) == before


def test_the_warm_process_has_started_no_thread_of_torch(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    threads = on_import("import os; print(os.getppid(), len(os.listdir(f'/proc/{os.getppid()}/task')))")
    supervisor.knobs(threads(settings().source.read_text()), tmp_path / "trial")
    _, count = (tmp_path / "trial" / "log.txt").read_text().split()
    blas = 2  # numpy and scipy each bring an OpenBLAS, whose pools know how to get over a fork
    assert int(count) <= 1 + blas * (len(os.sched_getaffinity(0)) - 1)
