"""Money in a database: whole nano-dollars, which add up exactly.

SQLite has no decimal numbers, it would keep them as floats. A nano-dollar is what one token costs at $0.001 a million.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

_DIGITS = 9


def rounded_up(dollars: Decimal) -> Decimal:
    """An amount as it is stored: to the next nano-dollar, so that no sum is ever too small.

    Raises:
        ValueError: It is negative, or no number.
    """
    if not dollars.is_finite() or dollars < 0:
        raise ValueError(f"{dollars} is no amount of money: expected a number that is not negative")
    return dollars.quantize(Decimal(1).scaleb(-_DIGITS), ROUND_CEILING)


class Money(TypeDecorator[Decimal]):
    """Dollars in Python, nano-dollars in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Dollars to nano-dollars."""
        return None if value is None else int(rounded_up(value).scaleb(_DIGITS))

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:
        """Nano-dollars to dollars; a sum comes as a decimal number from PostgreSQL."""
        return None if value is None else Decimal(int(value)).scaleb(-_DIGITS)
