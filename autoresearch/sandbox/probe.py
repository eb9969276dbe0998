"""In the sandbox: tries what must not work and what must, as a candidate would (`python -m autoresearch.sandbox.probe`).

Like a warm process it imports torch, then forks; the fork encloses itself, makes its attempts, and says on the socket
that it was handed what came of each.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .attempts import FORBIDDEN, NEEDED
from .bait import Bait
from .capabilities import open_to_others
from .enclosure import Enclosure


def main(arguments: list[str]) -> None:
    """Do what the description on the command line says; the first argument is a socket."""
    started = time.monotonic()
    import torch  # noqa: F401

    given, seconds = json.loads(arguments[1]), time.monotonic() - started
    end = socket.socket(fileno=int(arguments[0]))
    open_to_others(False)
    child = os.fork()
    if child == 0:
        try:
            said = _as_candidate(given)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is the answer
            said = {"error": f"{type(error).__name__}: {error}"}
        end.sendall(json.dumps({"import_seconds": seconds, **said}).encode())
        os._exit(0)
    os.waitpid(child, 0)


def _as_candidate(given: dict[str, Any]) -> dict[str, Any]:
    os.setsid()
    folder = Path(given["folder"])
    cache = folder / "compiled"
    cache.mkdir(exist_ok=True)
    os.chdir(folder)
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
    os.environ |= {  # as a candidate has it: a place of its own for what is compiled
        "HOME": str(cache),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
    }
    bait = Bait(**given["bait"])
    Enclosure.from_json(given["enclosure"]).enter([folder])
    forbidden = {name: _refusal(FORBIDDEN[name], bait) for name in given["forbidden"]}
    started = time.monotonic()
    needed = {name: _failure(partial(NEEDED[name], cache, given["device"])) for name in given["needed"]}
    return {"held": forbidden, "failed": needed, "work_seconds": time.monotonic() - started}


def _refusal(attempt: Callable[[Bait], None], bait: Bait) -> bool:
    """Whether what must not work was refused."""
    try:
        attempt(bait)
    except (OSError, KeyError):
        return True
    return False


def _failure(attempt: Callable[[], None]) -> str | None:
    """Why what must work does not."""
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is the answer
        return f"{type(error).__name__}: {str(error).strip() or '(no message)'}".splitlines()[0]
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
