"""The editors by the names under which `--editor` knows them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch.errors import InputError

from ..briefing.program import Program
from ..model.access import KEY_VARIABLES, access_from
from ..model.cassette import Cassette
from .anthropic import AnthropicEditor
from .command import DEFAULT_SECONDS, CommandEditor
from .editor import Editor
from .paid import PaidModel, RequestBook
from .replay import ReplayEditor
from .voices import Voice, live, recorded

EXPECTED = "none, anthropic, command:'CMD', cassette:FILE or replay:FILE"


@dataclass(frozen=True)
class Asked:
    """Which editor the user wants, and how."""

    spec: str  # as --editor has it
    voice: Voice = field(default_factory=Voice)
    program: Path | None = None  # the instructions; the package's own when None
    command_seconds: float = DEFAULT_SECONDS

    @property
    def name(self) -> str:
        """The editor without what follows the colon."""
        return self.spec.partition(":")[0]

    @property
    def is_slow(self) -> bool:
        """Whether an edit takes longer than a trial should wait for."""
        return self.name in ("anthropic", "cassette", "command")

    def check(self) -> None:
        """Raise an InputError that names the flag at fault; nothing is asked or started."""
        match self.spec.partition(":"):
            case "none", "", "":
                pass
            case "replay", _, path if path:
                ReplayEditor(Path(path))
            case "cassette", _, path if path:
                Cassette(Path(path))
            case "command", _, command:
                CommandEditor(command, "", self.command_seconds)
            case "anthropic", "", "":
                access_from(os.environ)
                self.voice.check()
            case _:
                raise InputError(f"there is no editor {self.spec!r}: expected {EXPECTED}")
        self._check_flags()

    def _check_flags(self) -> None:
        voice = self.voice
        given: Mapping[str, object] = {
            "--model": voice.model,
            "--effort": voice.effort,
            "--price": voice.price,
            "--max-cost": voice.max_cost,
            "--record": voice.record,
        }
        for name, value in given.items():
            if value is not None and self.name not in ("anthropic", "cassette"):
                no_key = self.spec == "none" and default_editor(os.environ) == "none"
                way_out = "leave it out" + (", or set ANTHROPIC_API_KEY" if no_key else "")
                raise InputError(f"{name} {value} is for --editor anthropic, and this one is {self.spec}: {way_out}")
        if self.program is not None and self.name in ("none", "replay"):
            raise InputError(f"--program {self.program} is for an editor that reads, not for {self.spec}: leave it out")
        if self.command_seconds != DEFAULT_SECONDS and self.name != "command":
            raise InputError(f"--command-seconds {self.command_seconds:g} is for --editor command:CMD: leave it out")
        if voice.record is not None and not voice.record.resolve().parent.is_dir():
            raise InputError(f"--record {voice.record}: there is no folder {voice.record.resolve().parent}")
        voice.cap()


@dataclass(frozen=True)
class Opened:
    """An editor at work."""

    editor: Editor | None
    model: PaidModel | None = None  # that can be asked other questions, too


def default_editor(environment: Mapping[str, str]) -> str:
    """The language model where there is a key for it."""
    return "anthropic" if any(environment.get(name, "").strip() for name in KEY_VARIABLES) else "none"


@contextmanager
def opened(
    asked: Asked, program: Program, book: RequestBook, worker: Callable[[], str], note: Callable[[str], None]
) -> Iterator[Opened]:
    """The editor that was asked for, until the worker ends.

    Args:
        asked: What the user wants.
        program: The instructions.
        book: The study's account of requests.
        worker: Gives who asks.
        note: Is told what the user should know.

    Raises:
        InputError: A flag is wrong, or a file or the key is missing.
    """
    name, _, argument = asked.spec.partition(":")
    match name:
        case "replay":
            yield Opened(ReplayEditor(Path(argument)))
        case "command":
            with closing(CommandEditor(argument, program.text, asked.command_seconds)) as command:
                yield Opened(command)
        case "anthropic":
            with live(asked.voice, os.environ, book, worker, note=note) as model:
                yield Opened(AnthropicEditor(model), model)
        case "cassette":
            with recorded(Path(argument), asked.voice, book, worker, note=note) as model:
                yield Opened(AnthropicEditor(model), model)
        case _:
            yield Opened(None)
