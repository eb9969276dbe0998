"""Processes that take only what others leave of the processor: a check beside a trial must not slow the trial down.

It is the candidates that give way. The warm process does not: it imports for seconds once a night, and on a busy machine would
not get to the end of it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# Of 1,134 parts of a core that somebody else wants as well, it gets 110. The lowest priority, 19, would get 15, and on a
# machine whose cores are all busy a check of seconds would last minutes, all of them at the trial's side.
_NICENESS = 10


def give_way() -> None:
    """Lower this process's priority, and that of all it will start; there is no way back."""
    os.nice(_NICENESS)


def keep_giving_way() -> None:
    """Have a new session count for as little as its process: Linux may weigh whole sessions against each other.

    Where it does (autogroup, most desktops), a process's own priority says nothing to other sessions' processes.
    """
    niceness = os.nice(0)
    if niceness > 0:
        with contextlib.suppress(OSError):  # it does not do so here, or was told too often within a second
            Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
