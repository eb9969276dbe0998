"""Which sandbox to take: each rung is tried for real, from the best one down, and the first that holds is taken."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from autoresearch.errors import SandboxError

from .attempts import FORBIDDEN, NEEDED
from .bait import bait_around
from .bubblewrap import Bubblewrap
from .grants import Grants
from .landlock import LandlockRung
from .resources import Resources
from .rung import Rung

RUNGS: Final[tuple[Rung, ...]] = (Bubblewrap(), LandlockRung()) if sys.platform == "linux" else ()

# What a sandbox may be without: only a study's own trials could meddle with each other then.
DISPENSABLE = frozenset({"other trials not read", "other trials not written"})
COMPILER = "torch.compile"  # a trial can do without it, and says why it fails
_PATIENCE = 300.0  # seconds; a cold file system, and a first compilation

Environment = Callable[[Path, Mapping[str, str]], Mapping[str, str]]  # a cache folder, and what there is to choose from


@dataclass(frozen=True)
class Tried:
    """What came of a rung."""

    rung: Rung
    obstacle: str | None = None  # why it does not work at all
    held: Mapping[str, bool] = field(default_factory=dict)  # what must not work, and whether it was refused
    failed: Mapping[str, str | None] = field(default_factory=dict)  # what must work, and why it does not
    import_seconds: float = 0.0  # of torch, in there
    work_seconds: float = 0.0  # of all that must work

    @property
    def shortcomings(self) -> list[str]:
        """Why it cannot be taken, in words."""
        if self.obstacle is not None:
            return [self.obstacle]
        lost = [name for name, held in self.held.items() if not held and name not in DISPENSABLE]
        broken = [f"{name}: {reason}" for name, reason in self.failed.items() if reason and name != COMPILER]
        return [f"does not hold: {', '.join(lost)}"] * bool(lost) + broken

    @property
    def holds(self) -> bool:
        """Whether it can be taken."""
        return not self.shortcomings


def choose(under: Path, device: str, environment: Environment) -> Tried:
    """The first rung that holds, tried once a process: it takes about as long as to import torch.

    Args:
        under: Where studies lie; made if need be.
        device: Torch's name of the device that trials use.
        environment: Makes a candidate's environment.

    Raises:
        SandboxError: None holds.
    """
    found = [result for result in _tried_until_one_holds(under, device, environment) if result.holds]
    if found:
        return found[0]
    raise SandboxError(
        f"no sandbox holds on this machine ({_reasons(_tried_until_one_holds(under, device, environment))}), and edits are "
        "not run without one; install bubblewrap, or give --unsafe and read what it gives up"
    )


def remembered(under: Path, device: str, environment: Environment) -> Rung:
    """As `choose`, but what was found to hold on this machine is not tried again until something has changed.

    Raises:
        SandboxError: None holds.
    """
    note, key = under / "sandbox.json", _circumstances(device)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        known = json.loads(note.read_text(encoding="utf-8"))
        found = next((rung for rung in RUNGS if rung.name == known.get("rung") and known.get("with") == key), None)
        if found is not None:
            return found
    rung = choose(under, device, environment).rung
    with contextlib.suppress(OSError):  # then it is tried again next time
        note.write_text(json.dumps({"rung": rung.name, "with": key}), encoding="utf-8")
    return rung


def _circumstances(device: str) -> list[str]:
    """What the answer depends on: the kernel, the user, this installation, and whether bubblewrap is there."""
    ours = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    return [platform.release(), str(os.getuid()), sys.executable, str(ours), str(shutil.which("bwrap")), device]


@cache
def _tried_until_one_holds(under: Path, device: str, environment: Environment) -> tuple[Tried, ...]:
    tried: list[Tried] = []
    for rung in RUNGS:
        tried.append(try_rung(rung, under, device, environment))
        if tried[-1].holds:
            break
    return tuple(tried)


def _reasons(tried: Sequence[Tried]) -> str:
    if not tried:
        return f"there is none for {sys.platform}"
    return "; ".join(f"{result.rung.name}: {', '.join(result.shortcomings)}" for result in tried)


def try_rung(rung: Rung, under: Path, device: str, environment: Environment, compiles: bool = False) -> Tried:
    """Run a probe in a rung's sandbox.

    Args:
        rung: The rung.
        under: Where studies lie; made if need be.
        device: Torch's name of the device.
        environment: Makes a candidate's environment.
        compiles: Whether to try `torch.compile` as well, which takes seconds.
    """
    obstacle = rung.obstacle()
    if obstacle is not None:
        return Tried(rung, obstacle)
    if device == "cuda" and (failure := _wake_gpu()) is not None:
        return Tried(rung, f"CUDA does not start, in a sandbox or out of one: {failure}")
    with _study_folder(under) as study, bait_around(study, under) as bait:
        grants = Grants.for_trials(study, devices=device == "cuda", hidden=[under])
        absent = [
            name for name, what in (("home not read", bait.home), ("corpus not read", bait.corpus)) if what is None
        ]
        given = {
            "folder": str(study / "trial"),
            "bait": asdict(bait),
            "enclosure": rung.enclosure(grants, Resources()).as_json(),
            "device": device,
            "forbidden": [name for name in FORBIDDEN if name not in absent],
            "needed": [name for name in NEEDED if name != COMPILER or compiles],
        }
        variables = environment(study / "compiled", {**os.environ, bait.environment: bait.marker})
        answer = _run_probe(rung, grants, given, variables)
    if "error" in answer:
        return Tried(rung, answer["error"])
    return Tried(rung, **answer)


def _wake_gpu() -> str | None:
    """Have the driver make its device nodes, which it does at the first use; in a sandbox it could not."""
    import torch

    try:
        torch.zeros(1, device="cuda")
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().partition("\n")[0]
    return None


def _run_probe(rung: Rung, grants: Grants, given: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    ours, theirs = socket.socketpair()
    module = [sys.executable, "-P", "-W", "ignore", "-m", "autoresearch.sandbox.probe"]
    with ours, tempfile.TemporaryFile() as errors:
        with theirs:
            process = subprocess.Popen(
                rung.command([*module, str(theirs.fileno()), json.dumps(given)], grants),
                env=dict(variables),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        ours.settimeout(_PATIENCE)
        try:
            said = b"".join(iter(lambda: ours.recv(2**16), b""))
        except TimeoutError:
            return {"error": f"it did not answer within {_PATIENCE:.0f} s"}
        finally:
            process.kill()
            process.wait()
        if said:
            answer: dict[str, Any] = json.loads(said)
            return answer
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").strip().splitlines()
        return {"error": lines[-1] if lines else f"it ended with exit code {process.returncode}"}


@contextmanager
def _study_folder(under: Path) -> Iterator[Path]:
    """A study's folder with two trials and a cache, where studies lie."""
    try:
        under.mkdir(parents=True, exist_ok=True)
        study = Path(tempfile.mkdtemp(prefix="sandbox-probe-", dir=under))
    except OSError as error:
        raise SandboxError(
            f"no sandbox can be tried: cannot write to {under}: {error.strerror}; set AUTORESEARCH_HOME to another folder"
        ) from None
    try:
        for name in ("trial", "sibling", "compiled/tmp"):
            (study / name).mkdir(parents=True)
        yield study
    finally:
        shutil.rmtree(study, ignore_errors=True)
