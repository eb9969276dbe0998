"""Asking a language model for its notes on the study: the same account as for edits, another question."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ..model.errors import ModelRefused
from ..model.messages import Part, user
from ..records import Purpose, RequestRecord, RequestState
from .editor import Briefing
from .paid import PaidModel, Said

_SEEN = "seen"  # the role of the record that says what a question is about


@dataclass(frozen=True)
class Noted:
    """What a model notes for itself."""

    text: str  # empty where it declined
    draft: str  # that is used once the text is written down
    trials_seen: int  # when it was asked


def noted(model: PaidModel, briefing: Briefing, question: str, trials_seen: int, kept: int = 0) -> Noted:
    """The model's notes; those that a dead worker has received and not written down are not asked for again.

    Args:
        model: Whom to ask.
        briefing: Its parts that stay are what the question is about.
        question: What comes in place of the briefing's changing part.
        trials_seen: How many trials it is about, which is written down with the request.
        kept: How many those notes are about that are kept now; older ones are of no use any more.

    Raises:
        EditorUnavailableError: The model cannot be had now.
        EditorSpentError: The money is spent, or the model cannot be had at all.
    """
    for draft in model.book.resumable(model.worker, Purpose.LESSONS):
        records = model.book.take(draft, model.worker)
        answered = [record for record in records if record.state is RequestState.ANSWERED]
        if not answered:
            continue
        if _seen(answered[-1]) >= kept:
            return Noted(answered[-1].reply, draft, _seen(answered[-1]))
        model.book.mark_used(draft)
    draft = str(uuid.uuid4())
    said = Said(
        (Part(briefing.stable, cached=True),),
        (user(Part(briefing.source, cached=True), Part(question)),),
    )
    notes = ({"role": _SEEN, "trials": trials_seen, "content": []},)
    try:
        return Noted(model.ask(draft, Purpose.LESSONS, briefing.program, said, notes).text, draft, trials_seen)
    except ModelRefused:
        return Noted("", draft, trials_seen)


def _seen(record: RequestRecord) -> int:
    """How many trials a request is about; 0 where that was not written down yet."""
    return next((int(note["trials"]) for note in record.messages if note["role"] == _SEEN), 0)
