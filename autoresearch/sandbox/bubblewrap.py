"""The best rung: bubblewrap. In there nothing exists but what is handed over: no file, no process, no network.

Trials share one such place; where the kernel has Landlock, each of them restricts itself to its own folder in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .enclosure import Enclosure
from .files import LEAST, landlock_version
from .grants import Grants, device_nodes
from .resources import GIB, Resources
from .syscalls import has_seccomp

_SHARED_MEMORY_BYTES = 2 * GIB  # memory that no process need have mapped, so nobody would see whose it is
_APART = (
    "--unshare-net",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",  # with the thread that started it, to be exact
    "--new-session",
    "--cap-drop",
    "ALL",
)


class Bubblewrap:
    """bubblewrap, and Landlock in it where there is one."""

    @property
    def name(self) -> str:
        """With what it holds together."""
        return f"bubblewrap + {'Landlock + ' if _has_landlock() else ''}seccomp"

    def obstacle(self) -> str | None:
        """What is not installed."""
        if shutil.which("bwrap") is None:
            return "bubblewrap is not installed (on Debian and Ubuntu the package bubblewrap)"
        return None if has_seccomp() else "the kernel does not filter system calls (seccomp)"

    def command(self, command: Sequence[str], grants: Grants) -> list[str]:
        """`bwrap` with everything that the command needs bound in its place."""
        program = shutil.which("bwrap") or "bwrap"
        limited = ("--size", str(_SHARED_MEMORY_BYTES)) if _limits_size(program) else ()
        devices = [word for node in (device_nodes() if grants.devices else []) for word in ("--dev-bind", node, node)]
        places = ["--proc", "/proc", "--dev", "/dev", *devices, *limited, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
        words = [program, *_APART, *_binds(grants), *places, "--remount-ro", "/", "--chdir", "/", "--", *command]
        return [str(word) for word in words]

    def enclosure(self, grants: Grants, resources: Resources) -> Enclosure:
        """A candidate's own folder, where Landlock can draw that line."""
        return Enclosure.of(grants, resources, landlock=_has_landlock(), private=True)


def _binds(grants: Grants) -> list[str | Path]:
    """From the outer to the inner folders: what is hidden covers what holds it, and what lies in it shows again."""
    covered = _covered(grants)
    kinds: dict[Path, list[str | Path]] = {
        **{path: ["--ro-bind", path, path] for path in grants.readable},
        **{path: ["--tmpfs", path] for path in covered},
        **{path: ["--bind", path, path] for path in grants.writable},
    }
    inner_last = sorted(kinds, key=lambda path: (len(path.parts), path))
    return [word for path in inner_last for word in kinds[path]] + [
        word for path in covered for word in ("--remount-ro", path)
    ]


def _covered(grants: Grants) -> list[Path]:
    """What is hidden, in each place where it would show: a bound link, to a virtual environment say, shows it once more."""
    shown = [*grants.readable, *grants.writable]
    places: dict[Path, None] = {}
    for path in (*grants.hidden, *grants.corpora):
        for other in shown:
            for top in {other, other.resolve()}:
                if path.is_relative_to(top) and (place := other / path.relative_to(top)) not in shown:
                    places[place] = None
    return list(places)


@cache
def _has_landlock() -> bool:
    return landlock_version() >= LEAST


@cache
def _limits_size(program: str) -> bool:
    """From version 0.7 on."""
    done = subprocess.run(
        [program, "--help"], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    return "--size" in done.stdout + done.stderr
