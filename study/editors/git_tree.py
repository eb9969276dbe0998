"""A throwaway git work tree: what a coding agent expects to find, and nothing that it could spoil."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from autoresearch.errors import AutoresearchError
from autoresearch.static_check.source_limits import MAX_BYTES

from .blocks import EditError

FILE = "train.py"
_WHO = ("autoresearch", "autoresearch@localhost")
_GIT_SECONDS = 60.0
_NOTE_BYTES = 8_000


class GitError(AutoresearchError):
    """git is not installed, or does not do what it is asked to."""


class GitTree:
    """A folder with one commit of some files, known as `train.py` and what else is to be read."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        # Nothing of the user's git acts on what is ours: no template, no hook, no signature, no other line ends.
        self._git("-c", "init.defaultBranch=main", "init", "--quiet", "--template=")
        for setting in (
            "core.hooksPath=/dev/null",
            "core.autocrlf=false",
            "commit.gpgSign=false",
            f"user.name={_WHO[0]}",
            f"user.email={_WHO[1]}",
        ):
            self._git("config", *setting.split("=", 1))
        for name, text in files.items():
            (folder / name).write_bytes(text.encode())
        self._git("add", "--force", "--", *files)  # whatever the user's git ignores everywhere
        self._git("commit", "--quiet", "--message", "the incumbent")
        self._first = self._git("rev-parse", "HEAD")

    def read(self) -> str:
        """The text of its `train.py` as it is now.

        Raises:
            EditError: It is none.
        """
        try:
            content = self._content(FILE, MAX_BYTES)
        except FileNotFoundError:
            raise EditError(f"there is no {FILE} any more") from None
        except OSError as error:
            raise EditError(f"{FILE} is no plain file any more: {error.strerror}") from None
        if len(content) > MAX_BYTES:
            raise EditError(f"{FILE} has more than the {MAX_BYTES:,} bytes that are allowed")
        if b"\0" in content:
            raise EditError(f"{FILE} is no text: it holds a null character (byte {content.index(0):,})")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise EditError(f"{FILE} is not UTF-8 text (byte {error.start:,})") from None

    def note(self, name: str) -> str:
        """The text of a short file that may have been put here; empty where there is none."""
        try:
            return self._content(name, _NOTE_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def _content(self, name: str, most: int) -> bytes:
        """The first bytes of a file, at most one more than `most`; no link is followed, no pipe waited for."""
        descriptor = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is something else")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(most + 1)
        finally:
            os.close(descriptor)

    def message(self) -> str:
        """The message of the last commit that was made here since; empty where there is none."""
        try:
            head, _, message = self._git("log", "-1", "--format=%H%n%B").partition("\n")
        except GitError:  # whoever worked here may have taken the history away
            return ""
        return "" if head == self._first else message.strip()

    def _git(self, *words: str) -> str:
        environment = without_git(os.environ) | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *words],
                env=environment | {"GIT_CEILING_DIRECTORIES": str(self.folder.parent), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_GIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitError(f"git could not be run ({error}); the command editor works in a git work tree") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise GitError(f"git {' '.join(words[:3])} failed with exit code {done.returncode}: {said[:500]}")
        return done.stdout.decode("utf-8", "replace").strip()


@contextmanager
def git_tree(files: Mapping[str, str]) -> Iterator[GitTree]:
    """A new one in a temporary folder, which is gone afterwards with all that was done there.

    Raises:
        GitError: git does not work here.
        OSError: There is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="autoresearch-edit-", ignore_cleanup_errors=True) as folder:
        yield GitTree(Path(folder).resolve(), files)


def without_git(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which git looks at no other repository than the one that it stands in."""
    return {name: value for name, value in environment.items() if not name.startswith("GIT_")}
