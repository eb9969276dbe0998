"""The anthropic editor: asks a language model for edits, and talks with it until one can be tried or is given up."""

from __future__ import annotations

import uuid
from dataclasses import replace
from threading import Event

from ..model.errors import ModelMisused, ModelRefused
from ..model.messages import Answer, Part, user
from ..records import Edit, first_key
from .conversation import Conversation
from .editor import EditContext, EditorSpentError, unless_closed
from .paid import PaidModel, Said
from .reply import FORMAT

_REFUSALS = 3  # in a row, after which the model is not asked any more


class AnthropicEditor:
    """Proposes what a language model answers.

    The key of each edit is the editor's name and the draft, the conversation that led to it: whoever records the edit
    marks that draft as used, in the same transaction, and an answer is neither lost nor paid for twice.

    Args:
        model: Whom to ask.
        name: Another one for the same editor with another voice.
    """

    is_slow = True
    answer_format = FORMAT

    def __init__(self, model: PaidModel, name: str = "anthropic") -> None:
        self.name = name
        self._model = model
        self._refusals = 0
        self._closed = Event()

    def propose(self, context: EditContext) -> Edit:
        """An edit, or an attempt that was given up, with its error.

        Raises:
            EditorUnavailableError: The model cannot be had now.
            EditorSpentError: The money is spent, the key refused, the model declines again and again, or the editor was
                closed while an edit was checked: its answer is taken up again.
        """
        if self._refusals >= _REFUSALS:
            raise EditorSpentError(f"the model has declined {self._refusals} times in a row and is not asked any more")
        context = replace(context, check=unless_closed(context.check, self._closed.is_set))
        draft, conversation, answer = self._resumed(context) or self._begun(context)
        while True:
            if answer is None:
                try:
                    answer = self._ask(draft, conversation)
                except ModelRefused as refusal:
                    self._refusals += 1
                    return conversation.given_up(str(refusal))
                except ModelMisused as misused:  # recorded, and so used: it would fail again after each restart
                    return conversation.given_up(str(misused))
            edit = conversation.take(answer, context)
            if edit is not None:
                return edit
            answer = None

    def draft_of(self, key: str) -> str | None:
        """The draft that an edit with this key came of."""
        name, _, draft = first_key(key).partition(":")
        return draft if name == self.name else None

    def close(self) -> None:
        """Break off the request that is under way, and send no other."""
        self._closed.set()
        self._model.close()

    def _ask(self, draft: str, conversation: Conversation) -> Answer:
        answer = self._model.ask(
            draft, conversation.purpose, conversation.program, conversation.said, conversation.notes
        )
        conversation.was_sent()
        self._refusals = 0
        return answer

    def _begun(self, context: EditContext) -> tuple[str, Conversation, Answer | None]:
        briefing = context.briefing
        if briefing is None:
            raise ValueError("a language model is asked with a briefing, and there is none")
        draft = str(uuid.uuid4())
        said = Said(
            (Part(briefing.stable, cached=True),),
            (user(Part(briefing.source, cached=True), Part(briefing.changing)),),
        )
        key = f"{self.name}:{draft}"
        return draft, Conversation(key, briefing.program, said, context.source, context.revision), None

    def _resumed(self, context: EditContext) -> tuple[str, Conversation, Answer | None] | None:
        """The oldest attempt that has an answer and that nothing has come of."""
        book = self._model.book
        for draft in book.resumable(self._model.worker):
            key = f"{self.name}:{draft}"
            if key in context.used:  # recorded by somebody who did not say so
                book.mark_used(draft)
                continue
            records = book.take(draft, self._model.worker)
            if records:
                return draft, *Conversation.resumed(key, records)
        return None
