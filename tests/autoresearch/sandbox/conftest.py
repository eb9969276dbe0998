"""Python code run in a rung's sandbox as a candidate would run it, without the wait for torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]
else:
    from autoresearch.isolation.environment import clean_environment
    from autoresearch.sandbox.bubblewrap import Bubblewrap
    from autoresearch.sandbox.grants import Grants
    from autoresearch.sandbox.landlock import LandlockRung
    from autoresearch.sandbox.resources import Resources
    from autoresearch.sandbox.rung import Rung

_INSIDE = """
import json, os, sys
from pathlib import Path
from autoresearch.sandbox.enclosure import Enclosure
os.chdir(sys.argv[2])
Enclosure.from_json(sys.argv[1]).enter([Path(sys.argv[2])])
def refused(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return error.errno
    return 0
"""


@dataclass(frozen=True)
class Study:
    """A study's folder with two trials in it, and a rung."""

    root: Path
    rung: Rung
    resources: Resources

    @property
    def trial(self) -> Path:
        return self.root / "trial"

    @property
    def other(self) -> Path:
        return self.root / "other" / "log.txt"

    def start(self, code: str, *arguments: object, descriptors: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        """Run code in the trial's sandbox; `refused(act, …)` in there is the error number, and 0 if there was none."""
        grants = Grants.for_trials(self.root, devices=False)
        enclosure = self.rung.enclosure(grants, self.resources).as_json()
        command = [sys.executable, "-P", "-c", _INSIDE + code, enclosure, str(self.trial), *map(str, arguments)]
        return subprocess.Popen(
            self.rung.command(command, grants),
            env=clean_environment(self.root),
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, *arguments: object, descriptors: tuple[int, ...] = ()) -> Any:
        """The same; the JSON that it prints."""
        with self.start(code, *arguments, descriptors=descriptors) as process:
            out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return json.loads(out)


@pytest.fixture(params=["bubblewrap", "landlock"])
def rung(request: pytest.FixtureRequest) -> Rung:
    chosen: Rung = Bubblewrap() if request.param == "bubblewrap" else LandlockRung()
    if (obstacle := chosen.obstacle()) is not None:
        pytest.skip(obstacle)
    if request.param == "bubblewrap":
        command = chosen.command(
            ["/usr/bin/true"], Grants((Path("/usr"), Path("/lib"), Path("/lib64")), (), devices=False)
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 and "bwrap:" in done.stderr:
            pytest.skip(f"bubblewrap does not work here: {done.stderr.strip()}")
    return chosen


@pytest.fixture
def study(rung: Rung, tmp_path: Path) -> Study:
    return make_study(rung, tmp_path)


@pytest.fixture
def limited(rung: Rung, tmp_path: Path) -> Callable[[Resources], Study]:
    return lambda resources: make_study(rung, tmp_path, resources)


def make_study(rung: Rung, folder: Path, resources: Resources | None = None) -> Study:
    made = Study(folder / "study", rung, resources or Resources())
    made.trial.mkdir(parents=True)
    made.other.parent.mkdir()
    made.other.write_text("another trial's", encoding="ascii")
    (made.root / "tmp").mkdir()
    return made
