"""What a failed request means, in words: whether to try again, whether it may cost money, and what to change."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .errors import ModelError, ModelMisused, ModelUnavailable
from .incoming import Incoming, ReportedError

ASK_AGAIN = 300.0  # seconds until a caller should try anew, where the server does not say
_A_DAY = 86_400.0
_SHOWN = 300  # characters of what a server says that a message quotes

# Statuses under 500 that pass by themselves: time-out, lock, rate limit.
_PASSING_STATUSES = (408, 409, 429)
# Where somebody has waited for the model in vain, which may have worked, and be paid, all the same.
_LATE_STATUSES, _LATE_KIND = (504, 524), "timeout_error"
_PASSING_KINDS = ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
_STATUSES = {"invalid_request_error": 400, "request_too_large": 413}  # that go with a report of this kind
_REMEDIES = {
    400: "check --model and --effort",
    401: "check ANTHROPIC_API_KEY",
    402: "see to the account's balance",
    403: "the key may not do this: check ANTHROPIC_API_KEY and --model",
    404: "check --model, and ANTHROPIC_BASE_URL if it is set",
    410: "it is no longer there",
    413: "the request is larger than the server takes",
}


class PassingError(Exception):
    """The server said no before anything was charged, and may say yes later."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  # seconds, where the server names them


class BrokenReplyError(Exception):
    """The request went out, and its reply did not come, or not to an end: it may be charged."""


def of_status(
    status: int, headers: Mapping[str, str], said: str, host: str
) -> PassingError | BrokenReplyError | ModelMisused:
    """What to raise for a response that is an error."""
    reason = f"{host} answered {status}" + (f": {one_line(said)}" if said.strip() else "")
    if status in _LATE_STATUSES:
        return BrokenReplyError(reason)
    told = headers.get("x-should-retry")
    passing = status in _PASSING_STATUSES or status >= 500
    if told == "true" or (passing and told != "false"):
        return PassingError(reason, _retry_after(headers))
    if 300 <= status < 400:
        return ModelMisused(f"{reason}; it redirects: set ANTHROPIC_BASE_URL to where it redirects to", status=status)
    return ModelMisused(f"{reason}; {_REMEDIES.get(status, 'the request is not accepted as it is')}", status=status)


def of_report(error: ReportedError, incoming: Incoming, said: str, host: str) -> PassingError | ModelError:
    """What to raise for an error that comes in the place of a reply, or in the middle of one."""
    reason = f"{host} reports: {one_line(said)}"
    if error.kind not in _PASSING_KINDS:
        return ModelMisused(reason, incoming.usage, incoming.has_begun, _STATUSES.get(error.kind, 0))
    if incoming.has_begun or error.kind == _LATE_KIND:
        return ModelUnavailable(reason, ASK_AGAIN, incoming.usage, may_cost=True)
    return PassingError(reason)


def one_line(text: str) -> str:
    """What a server says, as a part of a message."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):  # a date, which no model's server has been seen to send
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return min(seconds, _A_DAY)
    return None
