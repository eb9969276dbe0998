"""Has an editor that takes its time work beside the trials, so that the accelerator never waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .editors.editor import EditContext, Editor, EditorSpentError, EditorUnavailableError
from .records import Edit

_LAST_WORDS = 5.0  # seconds that a draft gets when the worker ends; what is not written down by then is taken up again


class Drafting:
    """One draft at a time, or other work for an edit, in a thread of its own.

    Args:
        editor: Whom to ask.
        note: Is told what the user should know.
        clock: Seconds that never go back.
    """

    def __init__(
        self, editor: Editor, note: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._editor, self._note, self._clock = editor, note, clock
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self._failure: BaseException | None = None
        self._has_begun = self._complained = False
        self.is_over = False  # the editor has no more edits in this run
        self.is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether it is at work."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, context: Callable[[], EditContext], take: Callable[[Edit], None]) -> None:
        """Ask for an edit, unless it is at work or the editor cannot be had now.

        Args:
            context: Makes what the editor is told; called in the thread.
            take: Is given the edit, in the thread.
        """
        if not self.is_busy and not self.is_over and self._clock() >= self._not_before:
            if not self._has_begun:
                self._has_begun = True
                self._note(
                    f"the {self._editor.name} editor is asked for edits while trials run; until one is there, samples"
                )
            self._start(self._draft, context, take)

    def beside(self, work: Callable[[], None]) -> None:
        """Have something else done that takes its time, unless it is at work; whatever became of the editor.

        Args:
            work: An EditorSpentError that it raises says that it was broken off, to be done another time.
        """
        if not self.is_busy and not self.is_closed:
            self._start(self._work, work)

    def collect(self) -> None:
        """Raise what went wrong in the thread and was not the editor's to say."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Ask for nothing more."""
        self.is_over = self.is_closed = True
        self._editor.close()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)

    def _start(self, target: Callable[..., None], *args: Callable[..., object]) -> None:
        # A daemon, so that an answer that takes minutes cannot keep the process from ending.
        self._thread = threading.Thread(target=target, args=args, name="draft", daemon=True)
        self._thread.start()

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except EditorSpentError:
            pass
        except BaseException as error:  # noqa: BLE001 -- the worker's, who raises it in its own thread
            self._failure = error

    def _draft(self, context: Callable[[], EditContext], take: Callable[[Edit], None]) -> None:
        try:
            edit = self._editor.propose(context())
        except EditorUnavailableError as error:
            self._not_before = self._clock() + error.retry_after
            if not self._complained and not self.is_over:
                self._complained = True  # said once; that it is there again is said, too
                self._note(f"no edits for now: {error}; the study goes on with samples and asks again")
        except EditorSpentError as error:
            if not self.is_over:
                self._note(f"no more edits: {error}; samples only from here")
            self.is_over = True
        except BaseException as error:  # noqa: BLE001 -- the worker's, who raises it in its own thread
            self._failure = error
        else:
            self._take(edit, take)

    def _take(self, edit: Edit | None, take: Callable[[Edit], None]) -> None:
        if edit is None:
            self._note(f"the {self._editor.name} editor has no more edits: samples only from here")
            self.is_over = True
            return
        if self._complained:
            self._complained = False
            self._note(f"the {self._editor.name} editor answers again")
        if edit.error and self.is_closed:  # it was closed meanwhile, which may well be all that was wrong
            return
        try:
            take(edit)
        except BaseException as error:  # noqa: BLE001
            self._failure = error
