"""Where the language model is and what opens the door: read once, from the variables that Anthropic's SDK reads too.

The key lives in one object that does not show it. It is never written down: whatever a server says is passed through
`Access.hide` before it goes into a message, a database or a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from autoresearch.errors import InputError

_HIDDEN = "[key]"
_LEAST = 6  # characters; what is shorter is no secret, and hiding it would make holes in ordinary text
KEY_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")


@dataclass(frozen=True)
class Access:
    """A server and, for those that ask for one, a key."""

    base_url: str | None = None  # None: Anthropic's own
    api_key: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.base_url is not None:
            _check_url(self.base_url)

    @property
    def host(self) -> str:
        """The server's name, as messages show it."""
        return "api.anthropic.com" if self.base_url is None else urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, where no proxy stands between."""
        return self.base_url is not None and urlsplit(self.base_url).hostname in ("127.0.0.1", "localhost", "::1")

    def hide(self, text: str) -> str:
        """A text without the key, should a server have repeated it."""
        for secret in (self.api_key, self.auth_token):
            if secret and len(secret) >= _LEAST:
                text = text.replace(secret, _HIDDEN)
        return text


def access_from(environment: Mapping[str, str]) -> Access:
    """What the environment gives access to.

    Raises:
        InputError: There is no key, and no server that may do without.
    """
    base_url = environment.get("ANTHROPIC_BASE_URL", "").strip() or None
    api_key, auth_token = (environment.get(name, "").strip() or None for name in KEY_VARIABLES)
    if api_key is None and auth_token is None and base_url is None:
        raise InputError(
            "no key for the Anthropic API: set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for a server of your own; "
            "or choose another --editor"
        )
    for name, secret in zip(KEY_VARIABLES, (api_key, auth_token), strict=True):
        if secret is not None and not (secret.isascii() and secret.isprintable() and " " not in secret):
            raise InputError(f"{name} holds blanks or characters that no key has: copy it again")
    return Access(base_url, api_key, None if api_key else auth_token)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        sound = False
    shown = url.rpartition("@")[2]
    if not sound:
        raise InputError(f"ANTHROPIC_BASE_URL is {shown!r}: expected a server, as in http://127.0.0.1:11434")
    if parts.path.rstrip("/").endswith("/v1"):
        raise InputError(f"ANTHROPIC_BASE_URL is {shown!r}: leave the /v1 away, it is added to each request")
