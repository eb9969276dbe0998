"""What a request costs: the one table of prices, with its date.

The figures are list prices in US dollars per million tokens. A model that is not in the table needs a price from the
user: it is refused, and never taken for free.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from autoresearch.errors import InputError

from .usage import Usage

DATE = "2026-11-25"  # when the table was last compared with a copy of the price list on platform.claude.com/docs
DEFAULT_MODEL = "claude-opus-5-5"
EFFORTS = ("low", "medium", "high", "xhigh", "max")  # that the API knows

_MILLION = Decimal(1_000_000)
_WRITE_5M, _WRITE_1H, _READ = Decimal("1.25"), Decimal(2), Decimal("0.1")  # times the price of input
_COUNTING_ERROR = Decimal("1.02")  # a count of tokens in advance is an estimate
_EXAMPLE = "expected dollars per million tokens of input and of output, as in --price 4/20"


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens."""

    input: Decimal
    output: Decimal
    read: Decimal | None = None  # from the cache, where that is not a tenth of the input's

    @property
    def cache_read(self) -> Decimal:
        """Of input that was in the cache."""
        return self.input * _READ if self.read is None else self.read

    @property
    def cache_write_5m(self) -> Decimal:
        """Of input that is put into the cache for five minutes."""
        return self.input * _WRITE_5M

    @property
    def cache_write_1h(self) -> Decimal:
        """Of input that is put into the cache for an hour."""
        return self.input * _WRITE_1H


# Haiku 5.5 is missing on purpose: its price depends on the length of the prompt, so it must be given.
TABLE = {
    "claude-opus-5-5": Price(Decimal(4), Decimal(20), read=Decimal("0.20")),
    "claude-sonnet-5-5": Price(Decimal(2), Decimal(10), read=Decimal("0.20")),
}


def price_of(model: str, given: str | None = None) -> Price:
    """The price of a model: the one that the user gives, else the table's.

    Raises:
        InputError: Neither is there, or what is given is no price.
    """
    if given is not None:
        return parse_price(given)
    try:
        return TABLE[model]
    except KeyError:
        raise InputError(
            f"the price of the model {model!r} is not known (the table of {DATE} has {', '.join(TABLE)}): "
            "give it with --price IN/OUT in dollars per million tokens, 0/0 for a model that costs nothing"
        ) from None


def parse_price(text: str) -> Price:
    """The price that a text such as `4/20` states.

    Raises:
        InputError: It states none.
    """
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)/([0-9]{1,6}(?:\.[0-9]{1,6})?)", text.strip(), re.ASCII)
    if found is None:
        raise InputError(f"--price is {text!r}: {_EXAMPLE}")
    return Price(Decimal(found[1]), Decimal(found[2]))


def parse_dollars(flag: str, text: str) -> Decimal:
    """An amount such as `0.50`.

    Raises:
        InputError: It is none.
    """
    if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text.strip(), re.ASCII):
        raise InputError(f"{flag} is {text!r}: expected dollars, as in {flag} 0.50")
    return Decimal(text.strip())


def cost(price: Price, usage: Usage) -> Decimal:
    """Dollars, exactly."""
    total = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read * price.cache_read
        + usage.cache_write_5m * price.cache_write_5m
        + usage.cache_write_1h * price.cache_write_1h
    )
    return total / _MILLION


def longest_reply(effort: str | None) -> int:
    """How many tokens a reply may have, thinking included, whose price each request reserves; None: the model's own effort.

    Some 6,000 are written for an edit; the two highest efforts get four times the room to think in.
    """
    return 64_000 if effort in ("xhigh", "max") else 16_000


def worst_case(price: Price, input_tokens: int, max_tokens: int) -> Decimal:
    """The most that a request can cost: all of its input written to the cache, and the longest reply."""
    return (input_tokens * _COUNTING_ERROR * price.cache_write_1h + max_tokens * price.output) / _MILLION
