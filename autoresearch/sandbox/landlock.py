"""The rung that needs nothing installed: Landlock and seccomp, which a process asks the kernel for by itself.

Other processes exist in here but can be neither read nor signalled, and the network is there but no socket for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from .enclosure import Enclosure
from .files import LEAST, landlock_version
from .grants import Grants
from .resources import Resources
from .syscalls import has_seccomp


class LandlockRung:
    """Landlock + seccomp."""

    name = "Landlock + seccomp"

    def obstacle(self) -> str | None:
        """What the kernel lacks."""
        version = landlock_version()
        if version < LEAST:
            has = f"has Landlock {version}" if version else "has no Landlock, or its use is not allowed"
            return f"the kernel {has}; expected {LEAST} or later (Linux 6.2)"
        return None if has_seccomp() else "the kernel does not filter system calls (seccomp)"

    def command(self, command: Sequence[str], grants: Grants) -> list[str]:
        """A command that encloses itself before it becomes this one."""
        enclosure = self.enclosure(grants, Resources()).as_json()
        writable = json.dumps([str(folder) for folder in grants.writable])
        return [sys.executable, "-P", "-m", "autoresearch.sandbox.launch", enclosure, writable, *command]

    def enclosure(self, grants: Grants, resources: Resources) -> Enclosure:
        """The same for a candidate, in its own folder."""
        return Enclosure.of(grants.apart_from_corpora(), resources, landlock=True, private=False)
