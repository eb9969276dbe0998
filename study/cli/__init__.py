"""The command line, `autoresearch`: a command parses its flags, calls one function and prints."""

from __future__ import annotations

import importlib
import keyword
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from autoresearch.errors import AutoresearchError

# Command name -> (module of this package, one line of help). The modules are imported when called for: torch alone
# costs seconds, and `--help` should not.
COMMANDS = {
    "doctor": "Say what this machine can do, and what is missing.",
    "prepare": "Turn a corpus into packed token rows (once).",
    "train": "Train once for the budget and print val_bpb.",
    "study": "Run a night of trials, and see what it came to.",
}


class LazyGroup(click.Group):
    """A click group whose commands live in modules that are imported on first use.

    Args:
        package: The package that holds a module, and in it a command, of each name.
        commands: The names, in the order a newcomer needs them, each with one line of help.
    """

    def __init__(self, package: str, commands: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._package, self._lines_of_help = package, commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(self._lines_of_help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        if cmd_name not in self._lines_of_help:
            return None
        with _ctrl_c_held_back():
            name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
            module = importlib.import_module(f"{self._package}.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines_of_help.items()))


class _Root(LazyGroup):
    """The outermost group, which knows how to show an error of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; show where an error of ours comes from to those who ask."""
        try:
            return super().invoke(ctx)
        except AutoresearchError:
            if ctx.params["show_traceback"]:
                traceback.print_exc()
            raise


@click.group(cls=_Root, package=__name__, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="autoresearch")
@click.option("--traceback", "show_traceback", is_flag=True, help="Show Python's traceback of an error, too.")
def cli(show_traceback: bool) -> None:
    """Autonomous research on small language models.

    \b
    autoresearch doctor         # what this machine can do: device, sandbox, data, time
    autoresearch prepare        # once; `train` does it by itself for the built-in corpus
    autoresearch train          # one run by hand, judged by val_bpb
    autoresearch study optimize --hours 8 --editor replay:examples/edits.jsonl
    """


def main() -> None:
    """Run the command line; our own errors become one line on stderr and an exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except AutoresearchError as error:
        _fail(str(error), error.exit_code)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Let Ctrl-C wait: torch, imported, aborts the process when a KeyboardInterrupt passes through its C++ code."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fail(message: str, exit_code: int) -> None:
    click.echo(f"autoresearch: {message}", err=True)
    sys.exit(exit_code)
