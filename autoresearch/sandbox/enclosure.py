"""What a process does to itself, before it runs what it does not trust; there is no way back.

It works in any process of one thread, without root. What cannot be done is an error: nothing is skipped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from autoresearch.errors import SandboxError

from .capabilities import drop_capabilities, open_to_others
from .files import DEVICE, LIST, READ, WRITE, Rule, has_signal_scope, landlock_version, restrict_files, rules_of_proc
from .grants import Grants, device_nodes
from .resources import Resources, tasks_of_user
from .syscalls import restrict_syscalls

_HARMLESS = ("null", "zero", "full", "random", "urandom")  # of /dev
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Enclosure:
    """What will still be possible inside. As JSON it can be handed to the process that it is for."""

    readable: tuple[str, ...]
    listed: tuple[str, ...]  # readable by their names alone
    devices: bool  # the GPU's
    landlock: bool  # whether the kernel has it; else a namespace restricts the files, and only there
    private: bool  # whether there is a namespace around it: no other process, and a /dev/shm of its own
    resources: Resources
    others: int  # tasks of this user, when it was made

    @classmethod
    def of(cls, grants: Grants, resources: Resources, *, landlock: bool, private: bool) -> Self:
        """An enclosure with these grants; where it may write is said when it is entered."""
        readable, listed = tuple(map(str, grants.readable)), tuple(map(str, grants.listed))
        return cls(readable, () if private else listed, grants.devices, landlock, private, resources, tasks_of_user())

    def enter(self, writable: Iterable[Path], readable: Iterable[Path] = ()) -> None:
        """As a candidate: these folders, this process, and nothing else.

        Raises:
            SandboxError: Something of it cannot be done here.
        """
        open_to_others(True)
        self.resources.impose(self.others)
        self._restrict(writable, whole_proc=False, readable=readable)
        scoped = self.landlock and has_signal_scope(landlock_version())
        restrict_syscalls(signals=not scoped)

    def enter_to_serve(self, writable: Iterable[Path]) -> None:
        """As the process that starts candidates, looks after them, and kills them.

        Raises:
            SandboxError: Something of it cannot be done here.
        """
        self._restrict(writable, whole_proc=True)
        restrict_syscalls(signals=False)

    def as_json(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The enclosure that was handed over."""
        fields: dict[str, Any] = json.loads(text)
        fields |= {name: tuple(fields[name]) for name in ("readable", "listed")}
        fields["resources"] = Resources(**fields["resources"])
        return cls(**fields)

    def _restrict(self, writable: Iterable[Path], whole_proc: bool, readable: Iterable[Path] = ()) -> None:
        drop_capabilities()
        if self.landlock:
            more = [(folder, READ) for folder in readable]
            restrict_files([*self._rules(), *more, *_writable(writable), *rules_of_proc(whole_proc)])

    def _rules(self) -> list[Rule]:
        devices = [Path("/dev", name) for name in _HARMLESS] + (device_nodes() if self.devices else [])
        return [
            *((Path(path), READ) for path in self.readable),
            *((Path(path), LIST) for path in self.listed),
            *((path, DEVICE) for path in devices),
            *([(SHARED_MEMORY, WRITE)] if self.private else []),
        ]


def _writable(folders: Iterable[Path]) -> list[Rule]:
    for folder in (chosen := list(folders)):
        if not folder.is_dir():
            raise SandboxError(f"there is no folder {folder} to write to in a sandbox")
    return [(folder, WRITE) for folder in chosen]
