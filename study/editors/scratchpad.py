"""Asking a language model for its notes on the study: the same account as for edits, another question."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ..model.errors import ModelRefused
from ..model.messages import Part, user
from ..records import Purpose, RequestState
from .editor import Briefing
from .paid import PaidModel, Said


@dataclass(frozen=True)
class Noted:
    """What a model notes for itself."""

    text: str  # empty where it declined
    draft: str  # that is used once the text is written down


def noted(model: PaidModel, briefing: Briefing, question: str) -> Noted:
    """The model's notes; those that a dead worker has received and not written down are not asked for again.

    Args:
        model: Whom to ask.
        briefing: Its parts that stay are what the question is about.
        question: What comes in place of the briefing's changing part.

    Raises:
        EditorUnavailableError: The model cannot be had now.
        EditorSpentError: The money is spent, or the model cannot be had at all.
    """
    for draft in model.book.resumable(model.worker, Purpose.LESSONS):
        replies = [
            record.reply for record in model.book.take(draft, model.worker) if record.state is RequestState.ANSWERED
        ]
        if replies:
            return Noted(replies[-1], draft)
    draft = str(uuid.uuid4())
    said = Said(
        (Part(briefing.stable, cached=True),),
        (user(Part(briefing.source, cached=True), Part(question)),),
    )
    try:
        return Noted(model.ask(draft, Purpose.LESSONS, briefing.program, said).text, draft)
    except ModelRefused:
        return Noted("", draft)
