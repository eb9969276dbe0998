"""How a request to a language model fails, and whether it may cost money all the same.

ModelError
├── ModelUnavailable   not now: rate limit, overload, no connection, a reply that broke off; later is worth a try
├── ModelRefused       this request: the model declines to answer it
└── ModelMisused       not like this: the key, the model's name, the request itself; later is no better
"""

from __future__ import annotations

from autoresearch.errors import AutoresearchError

from .usage import Usage


class ModelError(AutoresearchError):
    """A request came to no reply.

    Attributes:
        usage: What the model says it counted, as far as it came to say it.
        may_cost: Whether the request reached the model, so that more may be charged than `usage` knows of.
    """

    def __init__(self, reason: str, usage: Usage | None = None, may_cost: bool = False) -> None:
        super().__init__(reason)
        self.usage, self.may_cost = usage, may_cost


class ModelUnavailable(ModelError):  # noqa: N818 -- a state with a name of its own
    """No reply can be had now.

    Attributes:
        retry_after: Seconds after which to ask again.
    """

    def __init__(self, reason: str, retry_after: float, usage: Usage | None = None, may_cost: bool = False) -> None:
        super().__init__(reason, usage, may_cost)
        self.retry_after = retry_after


class ModelRefused(ModelError):  # noqa: N818
    """The model declines; the same words would be declined again."""


class ModelMisused(ModelError):  # noqa: N818
    """The request can never succeed as it is; the message says what to change.

    Attributes:
        status: Of the HTTP response; 0 where there was none.
    """

    def __init__(self, reason: str, usage: Usage | None = None, may_cost: bool = False, status: int = 0) -> None:
        super().__init__(reason, usage, may_cost)
        self.status = status
