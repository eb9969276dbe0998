"""The tokens that a request was charged for, as the Messages API counts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Usage:
    """Tokens by the price that they have."""

    input_tokens: int = 0  # neither written to the cache nor read from it
    output_tokens: int = 0  # thinking included
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    thinking: int = 0  # how many of the output tokens; costs nothing on top

    @classmethod
    def read(cls, wire: Any, before: Self | None = None) -> Self | None:
        """The counts of a `usage` object, or the ones before it where it says nothing; None when nothing is known.

        A stream says everything when it starts and the totals again when it ends, without the cache's times to live.
        """
        if not isinstance(wire, Mapping) or not wire:
            return before
        old = before or cls()
        written = _count(wire, "cache_creation_input_tokens", old.cache_write_5m + old.cache_write_1h)
        split = wire.get("cache_creation")
        short = _count(split, "ephemeral_5m_input_tokens", 0) if isinstance(split, Mapping) else old.cache_write_5m
        if isinstance(split, Mapping):
            written = max(written, short + _count(split, "ephemeral_1h_input_tokens", 0))
        short = min(short, written)
        details = wire.get("output_tokens_details")
        return cls(
            input_tokens=_count(wire, "input_tokens", old.input_tokens),
            output_tokens=_count(wire, "output_tokens", old.output_tokens),
            cache_read=_count(wire, "cache_read_input_tokens", old.cache_read),
            cache_write_5m=short,
            cache_write_1h=written - short,  # what is not said to be the cheaper kind is the dearer
            thinking=_count(details, "thinking_tokens", 0) if isinstance(details, Mapping) else old.thinking,
        )

    def as_json(self) -> dict[str, int]:
        """The fields, as they are written down."""
        return asdict(self)


def _count(wire: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A number of tokens; a server that says nothing, or nonsense, changes nothing."""
    value = wire.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
