"""How much a candidate has printed. It may have put anything in its log's place."""

from __future__ import annotations

import stat
from pathlib import Path


def log_size(log: Path) -> int:
    """Bytes that a candidate printed; none where there is no plain file any more."""
    try:
        found = log.lstat()
    except FileNotFoundError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
