"""The command editor: any program that changes `train.py` in the folder in which it is started, such as a coding agent.

It runs in a throwaway git work tree with `train.py`, `program.md` (the instructions) and `context.md` (what the study knows), as
the user and with all of the user's environment: an agent needs its key and its settings, and may do what the user may do. It is
the user's own program; only what it writes is not trusted. What it did to `train.py` is the edit. All else goes with the folder.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from threading import Event

from autoresearch.errors import InputError, RevisionError, TrialError

from ..edits import sha256_of
from ..records import Edit
from .account import ASKED, account_of, new_secret, readable
from .blocks import EditError, between
from .editor import EditContext, EditorSpentError, EditorUnavailableError, unless_closed
from .git_tree import FILE, GitError, GitTree, git_tree, without_git
from .shell import CommandStoppedError, Ran, check_is_there, run

DEFAULT_SECONDS = 600.0
FORMAT = f"""\
Change the file {FILE} in the folder that you were started in, which is a git work tree; committed or not makes no difference.
Whatever else you change is dropped. Print at the end, or put into the message of a commit:

TITLE: {ASKED["TITLE"]}
HYPOTHESIS: {ASKED["HYPOTHESIS"]}
"""

_SHOWN = 4_000  # characters of its output, where it failed
_LAST_LINE = 160  # of them in the reason itself
_FEW = 3  # failures in a row after which it is not run again at once
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0  # seconds; doubled with each further failure


class CommandEditor:
    """Proposes what a command makes of the incumbent's text.

    An attempt that came to nothing is an edit with an error, which is recorded and not run.

    Args:
        command: For `sh -c`.
        program: The human's instructions.
        seconds: After which the command is killed.
        now: A clock in seconds that never goes back.

    Raises:
        InputError: There is no command, or none of that name, or no time for it.
    """

    name = "command"
    is_slow = True
    answer_format = FORMAT

    def __init__(
        self,
        command: str,
        program: str,
        seconds: float = DEFAULT_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if not command.strip():
            raise InputError("the command editor has no command: expected one as in command:'claude -p ...'")
        if not seconds > 0:
            raise InputError(f"the command editor has {seconds:g} s for its command: expected a number over 0")
        check_is_there(command)
        self._command, self._program, self._seconds, self._now = command, program, seconds, now
        self._closed = Event()
        self._failures = 0  # in a row
        self._not_before = 0.0

    def propose(self, context: EditContext) -> Edit:
        """Run the command once.

        Raises:
            EditorUnavailableError: It failed several times in a row, or nothing can be run here now.
            EditorSpentError: The editor was closed, perhaps while its edit was checked.
        """
        self._check_may_run()
        try:
            edit, text = self._attempt(context)
        except CommandStoppedError:
            raise EditorSpentError("the command editor was closed while its command ran") from None
        except (GitError, OSError) as error:
            self._count(worked=False)
            raise EditorUnavailableError(f"the command cannot be run: {error}", _FIRST_PAUSE) from error
        self._count(worked=text is not None)
        return edit if text is None else _checked(edit, text, unless_closed(context.check, self._closed.is_set))

    def draft_of(self, key: str) -> None:
        """No conversation that the study pays for."""

    def close(self) -> None:
        """Kill the command that runs, and run no other; from any thread."""
        self._closed.set()

    def _files(self, context: EditContext) -> dict[str, str]:
        briefing = context.briefing
        told = [FORMAT] if briefing is None else [briefing.stable, briefing.source, briefing.changing]
        return {FILE: context.source, "program.md": self._program, "context.md": "\n\n".join(told)}

    def _attempt(self, context: EditContext) -> tuple[Edit, str | None]:
        """Run the command in a new tree: an edit and its text, or an edit that was given up and none."""
        with git_tree(self._files(context)) as tree:
            environment = without_git(os.environ)
            ran = run(self._command, tree.folder, self._seconds, environment, lambda: not self._closed.is_set())
            output = readable(ran.output)
            account = account_of(output, tree, self._command)
            program = sha256_of(self._program) if context.briefing is None else context.briefing.program
            edit = Edit("", account.title, account.hypothesis, (), program)
            try:
                text = self._text(ran, tree, context)
            except EditError as error:
                return _given_up(edit, f"{error}{_ending(output)}"), None
        return replace(edit, key=self._key(text), blocks=between(context.source, text)), text

    def _text(self, ran: Ran, tree: GitTree, context: EditContext) -> str:
        """What the command has made of the incumbent's text. The EditError says why that is nothing."""
        if ran.ending:
            limit = f" after {self._seconds:g} s" if ran.exit_code is None else ""
            raise EditError(f"the command {ran.ending}{limit}")
        text = _with_line_ends_of(context.source, tree.read())
        if text == context.source:
            raise EditError(f"the command left {FILE} as it was")
        if (name := new_secret(text, context.source)) is not None:
            raise EditError(f"the command wrote the value of {name} into {FILE}, and the study keeps every text")
        if self._key(text) in context.used:
            raise EditError("the command made an edit that the study has seen")
        return text

    def _key(self, text: str) -> str:
        return f"{self.name}:{sha256_of(text)[:16]}"

    def _check_may_run(self) -> None:
        if self._closed.is_set():
            raise EditorSpentError("the command editor is closed")
        left = self._not_before - self._now()
        if left > 0:
            raise EditorUnavailableError(f"the command failed {self._failures} times in a row", left)

    def _count(self, worked: bool) -> None:
        self._failures = 0 if worked else self._failures + 1
        if self._failures >= _FEW:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - _FEW))
            self._not_before = self._now() + pause


def _checked(edit: Edit, text: str, check: Callable[[str], None]) -> Edit:
    """The edit as it is, or given up for what is wrong with its text."""
    try:
        check(text)
    except (EditError, RevisionError, TrialError) as error:
        return _given_up(edit, f"{error}\n{readable(error.tail)}".strip())
    return edit


def _given_up(edit: Edit, reason: str) -> Edit:
    """An edit that is recorded and not run; its key is its own, since it may be made again."""
    return replace(edit, key=f"{CommandEditor.name}:failed-{uuid.uuid4().hex[:16]}", error=reason)


def _ending(output: str) -> str:
    """What goes behind a reason: the last line of the output, and the end of it on lines of its own."""
    said = output[-_SHOWN:].strip()
    last = said.rpartition("\n")[2].strip()
    return f"; its last words: {last[:_LAST_LINE]}\n{said}" if said else "; it printed nothing"


def _with_line_ends_of(source: str, text: str) -> str:
    """An editor on its way may have changed all line ends: that is no edit."""
    return text if "\r" in source else text.replace("\r\n", "\n")
