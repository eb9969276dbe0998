"""kill -9 of each of the three processes, at work: what is left, and what goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autoresearch.errors import InputError, Stopped, TrialError, WorkerError
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.progress import Progress
from autoresearch.records import TrialSettings

from .conftest import on_import

pytestmark = pytest.mark.slow
Make = Callable[..., TrialSettings]

# Writes down its own number, its parent's, and those of two children: one in its group, one that has left it.
FAMILY = """
import os, subprocess, sys
_sleep = [sys.executable, "-c", "import time; time.sleep(1e6)"]
_family = [os.getpid(), os.getppid(), subprocess.Popen(_sleep).pid, subprocess.Popen(_sleep, start_new_session=True).pid]
open("family.new", "w").write(" ".join(map(str, _family)))
os.rename("family.new", "family")
"""


def family(folder: Path) -> list[psutil.Process]:
    """The candidate, the warm process, and the two children."""
    return [psutil.Process(int(pid)) for pid in (folder / "family").read_text().split()]


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether all of them end within a time that is long for any machine."""
    deadline = time.monotonic() + 60
    while not all(is_gone(process) for process in processes):
        if time.monotonic() > deadline:
            return False
    return True


def is_gone(process: psutil.Process) -> bool:
    try:  # in a container nobody may be there to reap an orphan
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_who_watches_can_stop_a_trial_with_all_that_it_has_started(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    seen: list[psutil.Process] = []

    def watch(progress: Progress) -> None:
        seen.extend(family(tmp_path / "trial"))
        raise Stopped("enough")

    with pytest.raises(Stopped, match="enough"):
        supervisor.run(settings(edit=on_import(FAMILY), steps=10**6), tmp_path / "trial", watch)
    candidate, warm, *children = seen
    assert not any(process.is_running() for process in (candidate, *children))
    assert warm.is_running()


def test_ctrl_c_in_the_supervisor_ends_the_trial(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    seen: list[psutil.Process] = []

    def watch(progress: Progress) -> None:
        if not seen:
            seen.extend(family(tmp_path / "trial"))
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        supervisor.run(settings(edit=on_import(FAMILY), steps=10**6), tmp_path / "trial", watch)
    candidate, _, *children = seen
    assert not any(process.is_running() for process in (candidate, *children))


def test_what_a_trial_leaves_running_ends_with_it(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    supervisor.run(settings(edit=on_import(FAMILY)), tmp_path / "trial")
    pids = [int(pid) for pid in (tmp_path / "trial" / "family").read_text().split()]
    assert not any(psutil.pid_exists(pid) for pid in (pids[0], *pids[2:]))


def test_kill_9_of_the_candidate_is_a_crash(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    seen: list[psutil.Process] = []

    def watch(progress: Progress) -> None:
        if not seen:
            seen.extend(family(tmp_path / "trial"))
            seen[0].kill()

    with pytest.raises(TrialError, match="the process was killed by SIGKILL, perhaps for want of memory"):
        supervisor.run(settings(edit=on_import(FAMILY), steps=10**6), tmp_path / "trial", watch)
    assert not any(process.is_running() for process in seen[2:])


def test_kill_9_of_the_warm_process_between_trials_is_not_noticed(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    supervisor.knobs(on_import(FAMILY)(settings().source.read_text()), tmp_path / "trial")
    warm = psutil.Process(int((tmp_path / "trial" / "family").read_text().split()[1]))
    warm.kill()
    assert supervisor.run(settings(), tmp_path / "next").val_bpb > 1


def test_kill_9_of_the_warm_process_in_a_trial_harms_neither_it_nor_the_next(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    seen: list[psutil.Process] = []

    def watch(progress: Progress) -> None:
        if not seen:
            seen.extend(family(tmp_path / "trial"))
            seen[1].kill()

    result = supervisor.run(settings(edit=on_import(FAMILY), steps=50), tmp_path / "trial", watch)
    assert result.steps == 50
    assert are_gone(seen)
    assert supervisor.run(settings(), tmp_path / "next").val_bpb > 1


def test_kill_9_of_the_supervisor_leaves_nobody_behind(settings: Make, tmp_path: Path) -> None:
    given = settings(edit=on_import(FAMILY), steps=10**6)
    script = f"""
import dataclasses, sys
from pathlib import Path
from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.records import TrialSettings
settings = TrialSettings(Path({str(given.source)!r}), {dict(given.values)!r}, Dataset.open(Path({str(given.dataset.path)!r})),
    detect("cpu"), 60.0, 0, 1024, 10**6, None, False)
with Supervisor(Path({str(tmp_path / "cache")!r}), rehearse=False) as supervisor:
    supervisor.run(settings, Path({str(tmp_path / "trial")!r}), lambda progress: print(progress.step, flush=True))
"""
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    everybody = family(tmp_path / "trial")
    assert all(member.is_running() for member in everybody)
    process.kill()
    process.wait()
    process.stdout.close()
    assert are_gone(everybody)


def test_a_machine_that_cannot_start_trials_is_no_fault_of_the_trial(
    settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "lightning.py").write_text("raise ImportError('half an installation')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with (
        Supervisor(tmp_path / "cache", rehearse=False) as supervisor,
        pytest.raises(WorkerError, match=r"cannot start a trial: .* exit code 1: ImportError: half an installation"),
    ):
        supervisor.run(settings(), tmp_path / "trial")


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"cannot make the folder .*file/cache/tmp: Not a directory; set AUTORESEARCH_HOME"
    ):
        Supervisor(tmp_path / "file" / "cache", rehearse=False)
