"""What a command says of its edit: a title and a hypothesis, from where agents and people put such things."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .git_tree import GitTree

# What is asked for behind each label; an agent may print what it was asked, and has not answered with that.
ASKED = {"TITLE": "one line, what the edit does", "HYPOTHESIS": "why it should lower val_bpb"}
_LONGEST_TITLE = 120  # characters; it stands in tables
_LONGEST_HYPOTHESIS = 4_000
_LAST_WORDS = 2_000  # of the output, where nothing else says what was thought
_LABEL = re.compile(r"[\s*_#>`-]*(TITLE|HYPOTHESIS)[\s*_`]*:[\s*_]*(.*?)[\s*_]*$")  # perhaps in Markdown
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")  # colours, titles of windows
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH(?!OR)", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")  # in an address, such as that of a database
_SHORTEST_SECRET = 8  # characters; a shorter one is in many a word


@dataclass(frozen=True)
class Account:
    """An edit in words."""

    title: str
    hypothesis: str


def account_of(output: str, tree: GitTree, command: str) -> Account:
    """The first that there is: lines with a label in the output, files of that name, the last commit, and what is left.

    Args:
        output: The end of what the command printed, as `readable` makes it.
        tree: Where it worked.
        command: Itself.
    """
    said, message = labelled(output), tree.message()
    committed = labelled(message)
    subject, _, body = message.partition("\n")
    titles = (said.get("TITLE"), tree.note("title.txt"), committed.get("TITLE"), subject)
    hypotheses = (said.get("HYPOTHESIS"), tree.note("hypothesis.txt"), committed.get("HYPOTHESIS"), body)
    words = command.split()
    title = _first(titles) or f"edit by {words[0].rpartition('/')[2]}"
    hypothesis = _first(hypotheses) or output[-_LAST_WORDS:]
    return Account(_one_line(readable(title)), readable(hypothesis).strip()[:_LONGEST_HYPOTHESIS])


def labelled(text: str) -> dict[str, str]:
    """What stands behind each label, the last time that it occurs; it goes on to an empty line or another label."""
    found: dict[str, str] = {}
    label = None
    for line in text.splitlines():
        match = _LABEL.match(line)
        if match is not None and match[2].strip() != ASKED[match[1]]:
            label = match[1]
            found[label] = match[2].strip()
        elif match is not None or not line.strip():
            label = None
        elif label == "HYPOTHESIS":
            found[label] = f"{found[label]}\n{line.strip()}".strip()
    return {label: what for label, what in found.items() if what}


def readable(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Output as text that can be kept: without colours and control characters, and without the user's secrets.

    Args:
        text: What a command printed.
        environment: Where the secrets stand; this process's own by default.
    """
    plain = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    plain = "".join(character if character.isprintable() or character in "\n\t" else " " for character in plain)
    secrets = _secrets(os.environ if environment is None else environment).values()
    for secret in sorted(secrets, key=len, reverse=True):
        plain = plain.replace(secret, "[secret]")
    return plain


def new_secret(text: str, before: str) -> str | None:
    """The variable of this process's environment whose secret value a text holds, and did not before; None if there is none."""
    secrets = _secrets(os.environ).items()
    return next((name for name, value in secrets if value in text and value not in before), None)


def _secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that sound like one, with their values; of those that hold an address, its password."""
    found = {name: value for name, value in environment.items() if _SECRET.search(name)}
    for name, value in environment.items():
        if name not in found and (password := _PASSWORD.search(value)) is not None:
            found[name] = password[1]
    return {name: secret for name, secret in found.items() if len(secret) >= _SHORTEST_SECRET}


def _first(candidates: tuple[str | None, ...]) -> str:
    return next((candidate.strip() for candidate in candidates if candidate and candidate.strip()), "")


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST_TITLE else f"{words[: _LONGEST_TITLE - 2]} …"
