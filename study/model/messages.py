"""What is said to a language model, and what it answers: plain records that JSON can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .usage import Usage

MESSAGES = "/v1/messages"  # the addresses under which they are sent
COUNT_TOKENS = "/v1/messages/count_tokens"

Role = Literal["user", "assistant"]


@dataclass(frozen=True)
class Part:
    """A piece of text."""

    text: str
    cached: bool = False  # whether the provider shall keep what leads up to the end of it at hand for an hour

    def as_json(self) -> dict[str, Any]:
        """As the Messages API has it."""
        block: dict[str, Any] = {"type": "text", "text": self.text}
        # Five minutes, the default, is what a trial takes: it would always be missed, and paid for.
        return block | {"cache_control": {"type": "ephemeral", "ttl": "1h"}} if self.cached else block


SystemPart = Part


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    def as_json(self) -> dict[str, Any]:
        """As the Messages API has it."""
        return {"role": self.role, "content": [part.as_json() for part in self.parts]}


def user(*texts: str | Part) -> Message:
    """A turn of ours."""
    return Message("user", tuple(text if isinstance(text, Part) else Part(text) for text in texts))


def assistant(text: str) -> Message:
    """A turn of the model's."""
    return Message("assistant", (Part(text),))


def read_messages(wire: Sequence[Any]) -> tuple[Message, ...]:
    """The turns that `as_json` wrote."""
    return tuple(Message(turn["role"], read_parts(turn["content"])) for turn in wire)


def read_parts(wire: Sequence[Any]) -> tuple[Part, ...]:
    """The parts that `as_json` wrote."""
    return tuple(Part(block["text"], "cache_control" in block) for block in wire)


@dataclass(frozen=True)
class Answer:
    """A reply that came to its end."""

    text: str
    stop_reason: str  # end_turn; max_tokens and model_context_window_exceeded where it was cut off
    usage: Usage | None  # None: the server does not say
    request_id: str = ""

    @property
    def was_cut_off(self) -> bool:
        """Whether the model would have gone on."""
        return self.stop_reason in ("max_tokens", "model_context_window_exceeded")
