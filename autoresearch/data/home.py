"""Where autoresearch keeps what it prepares: one cache folder, moved by `AUTORESEARCH_HOME`."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return `$AUTORESEARCH_HOME`, or the user's cache folder of autoresearch; it need not exist yet."""
    chosen = os.environ.get("AUTORESEARCH_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("autoresearch", appauthor=False))
