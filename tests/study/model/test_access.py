"""Where the model is and the key to it, from the environment."""

from __future__ import annotations

import pytest

from autoresearch.errors import InputError
from autoresearch.study.model.access import Access, access_from

KEY = "sk-ant-a-key-that-nobody-may-see"


def test_a_key_alone_leads_to_anthropic() -> None:
    access = access_from({"ANTHROPIC_API_KEY": f" {KEY}\n"})
    assert access == Access(None, KEY)
    assert (access.host, access.is_local) == ("api.anthropic.com", False)


def test_a_key_goes_before_a_token() -> None:
    both = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_AUTH_TOKEN": "token"}
    assert access_from(both) == Access(None, KEY, None)
    assert access_from({"ANTHROPIC_AUTH_TOKEN": "token"}) == Access(None, None, "token")


def test_a_server_of_ones_own_needs_no_key() -> None:
    access = access_from({"ANTHROPIC_BASE_URL": "http://localhost:11434"})
    assert (access.host, access.is_local, access.api_key) == ("localhost:11434", True, None)


def test_without_both_it_says_what_to_set() -> None:
    with pytest.raises(InputError, match="set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL"):
        access_from({"ANTHROPIC_API_KEY": "  "})


@pytest.mark.parametrize("key", ["sk ant", "sk-ant\u2026", "sk\x1b[A"])
def test_a_key_that_was_copied_badly_is_not_shown(key: str) -> None:
    with pytest.raises(InputError, match="ANTHROPIC_API_KEY holds blanks or characters that no key has") as caught:
        access_from({"ANTHROPIC_API_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host", "http://", "http://host:port", "http://[", "http://h:0"]
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"ANTHROPIC_BASE_URL is .*expected a server, as in"):
        access_from({"ANTHROPIC_BASE_URL": url})


def test_the_path_of_the_version_is_not_given_twice() -> None:
    with pytest.raises(InputError, match="leave the /v1 away"):
        access_from({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1234/v1/"})


def test_a_password_in_the_address_is_not_shown() -> None:
    access = access_from({"ANTHROPIC_BASE_URL": "https://me:secret@gateway.example"})
    assert access.host == "gateway.example"
    with pytest.raises(InputError) as caught:
        access_from({"ANTHROPIC_BASE_URL": "ftp://me:secret@gateway.example"})
    assert "secret" not in str(caught.value)


def test_the_key_is_not_in_the_repr_and_is_taken_out_of_texts() -> None:
    access = Access("http://127.0.0.1:9", api_key=KEY)
    assert KEY not in repr(access)
    assert access.hide(f"a {KEY} b {KEY}") == "a [key] b [key]"
    assert Access(None, "x").hide("next") == "next"
