"""A draft that ends while the worker does."""

from __future__ import annotations

from threading import Event

import pytest

from autoresearch.study.drafting import Drafting
from autoresearch.study.editors.editor import EditContext
from autoresearch.study.records import Edit

from .scored_night import drafts_end


class Interrupted:
    """An editor whose attempt comes to its end because the editor is closed."""

    name = "interrupted"
    is_slow = True

    def __init__(self, edit: Edit) -> None:
        self._edit = edit
        self._closed = Event()

    def propose(self, context: EditContext) -> Edit:
        self._closed.wait()
        return self._edit

    def draft_of(self, key: str) -> None:
        pass

    def close(self) -> None:
        self._closed.set()


@pytest.mark.parametrize(("error", "is_taken"), [("the process was killed", False), ("", True)])
def test_an_edit_that_failed_as_the_worker_ended_is_not_recorded_and_a_good_one_is(error: str, is_taken: bool) -> None:
    edit = Edit("interrupted:1", "deeper", "it helps", (), error=error)
    drafting, taken = Drafting(Interrupted(edit), print), list[Edit]()
    drafting.begin(lambda: EditContext("depth = 8\n", "0" * 64), taken.append)
    drafting.close()
    drafts_end()
    drafting.collect()
    assert bool(taken) is is_taken
