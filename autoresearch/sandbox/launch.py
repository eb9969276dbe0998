"""Encloses itself, then becomes another command: `python -m autoresearch.sandbox.launch ENCLOSURE WRITABLE COMMAND …`.

ENCLOSURE is JSON, WRITABLE a JSON list of folders. What the process had open stays open.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .enclosure import Enclosure


def main(arguments: list[str]) -> None:
    """Enclose this process as one that serves, and go on as the command."""
    enclosure, writable, *command = arguments
    # Torch's compiler starts processes that share semaphores in /dev/shm, which holds everybody's: it shall do without.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    Enclosure.from_json(enclosure).enter_to_serve([Path(folder) for folder in json.loads(writable)])
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
