"""What the check before an edit's trial costs: by itself, and from the trial beside which it runs.

python benchmarks/preflight.py [--preset cpu] [--rounds 3] [--seconds 20]

The first table is the check of the package's own train.py at a preset, in the sandbox that holds here: seconds on the clock,
and (without the sandbox, whose processes nobody counts) seconds of one core. For the first one the imports of its process
come on top, which each study pays once. The second is
a trial of so many seconds on the best device here, by itself and with one check after another at its side, taking turns.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

from autoresearch.data import catalog
from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.isolation.environment import clean_environment
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.presets import PRESETS, Preset, preset_for, retarget
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import load, package_source
from autoresearch.sandbox.choose import choose
from autoresearch.sandbox.sandbox import Sandbox
from autoresearch.study.preflight import Preflight
from autoresearch.study.settings import StudySettings

Check = Callable[[], object]


def written(folder: Path, preset: Preset) -> Path:
    path = folder / f"{preset.name}.py"
    path.write_text(retarget(package_source(), preset), encoding="utf-8")
    return path


def study_of(preset: Preset, dataset: Dataset) -> StudySettings:
    device = detect()
    return StudySettings(
        preset=preset.name,
        seconds=preset.budget_seconds,
        steps=None,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        vocab_size=preset.vocab_size,
        context=preset.context,
        eval_tokens=preset.eval_tokens,
        device=device.kind,
        machine=device.name,
        precision=device.precision,
        compiled=True,
        seed=0,
        torch="",
    )


@contextmanager
def checks_of(preset: Preset, study: Path, sandbox: Sandbox | None) -> Iterator[Check]:
    """The check, as a study has it."""
    source = written(study.parent, preset)
    values = {name: knob.default for name, knob in load(source).knobs.items()}
    dataset = catalog.fitting(preset.vocab_size, preset.context)
    start = partial(Supervisor, study / "cache", rehearse=False, compiles=False, sandbox=sandbox, background=True)
    with start() as supervisor:
        preflight = Preflight(lambda: supervisor, dataset, study_of(preset, dataset), study / "checks")
        yield lambda: preflight.check(source.read_text(encoding="utf-8"), values)


def cost(preset: Preset, study: Path, sandbox: Sandbox | None, checks: int) -> tuple[list[float], float]:
    """The seconds of each of some checks, and those of a core that their processes took together."""
    before, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), []
    with checks_of(preset, study, sandbox) as check:
        for _ in range(checks):
            began = time.monotonic()
            check()
            seconds.append(time.monotonic() - began)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def trial_of(folder: Path, seconds: float) -> TrialSettings:
    device = detect()
    preset = preset_for(device)
    source = written(folder, preset)
    return TrialSettings(
        source=source,
        values={name: knob.default for name, knob in load(source).knobs.items()},
        dataset=catalog.fitting(preset.vocab_size, preset.context),
        device=device,
        seconds=seconds,
        seed=0,
        eval_tokens=preset.context,
        compiled=device.compile_obstacle is None,
    )


@contextmanager
def at_its_side(check: Check) -> Iterator[list[float]]:
    """One check after another meanwhile; the list is of those that are done."""
    over, done = Event(), list[float]()

    def go_on() -> None:
        while not over.is_set():
            began = time.monotonic()
            check()
            done.append(time.monotonic() - began)

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def show_beside(trial: Callable[[], TrialResult], check: Check, rounds: int, budget: float) -> None:
    trial()  # fills the compile cache
    speeds: dict[str, list[float]] = {"by itself": [], "beside checks": []}
    checks, lasted = [], []
    for _ in range(rounds):
        speeds["by itself"].append(trial().tokens_per_second)
        with at_its_side(check) as done:
            result = trial()
            checks.append(len(done) * result.training_seconds / result.total_seconds)
        speeds["beside checks"].append(result.tokens_per_second)
        lasted += done
    alone, beside = (statistics.median(speed) for speed in speeds.values())
    print(
        f"\n{'tokens a second':<24}{alone:>12.0f} by itself{beside:>12.0f} beside checks  ({beside / alone - 1:+.1%})"
    )
    if not statistics.median(checks):
        print("no check came to its end beside the trial: give it more --seconds")
        return
    each = (1 - beside / alone) * budget / statistics.median(checks)
    print(f"a check took {statistics.median(lasted):.1f} s there, and from the trial {each:.2f} s of its budget")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default=preset_for(detect()).name)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    preset = PRESETS[asked.preset]
    with tempfile.TemporaryDirectory() as name, ExitStack() as open_until_then:
        study = Path(name) / "study"
        rung = choose(study.parent, detect().kind, clean_environment).rung
        sandbox = Sandbox.for_study(rung, study, devices=detect().kind == "cuda", hidden=[])
        seconds, _ = cost(preset, study, sandbox, 1 + asked.rounds)
        (_, core_of_one), (_, core_of_two) = (cost(preset, study, None, checks) for checks in (1, 2))
        print(f"preset {preset.name}, sandbox {rung.name}, {detect()}")
        print(f"{'':<24}{'seconds':>12}{'of a core':>12}")
        print(f"{'the first check':<24}{seconds[0]:>12.1f}{core_of_one:>12.1f}")
        print(f"{'each further one':<24}{statistics.median(seconds[1:]):>12.1f}{core_of_two - core_of_one:>12.1f}")
        supervisor = open_until_then.enter_context(Supervisor(study / "cache", sandbox=sandbox))
        check = open_until_then.enter_context(checks_of(preset, study, sandbox))
        given = trial_of(study.parent, asked.seconds)
        show_beside(lambda: supervisor.run(given, study / "trial"), check, asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
