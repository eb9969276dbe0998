"""What `optimize` shows: a few lines that rewrite themselves on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoresearch.progress import Progress

from .records import Status, TrialRecord
from .report.figures import usd
from .watch import Standing, Watch

_COLOURS = {Status.KEEP: "green", Status.MEASURED: "cyan", Status.DISCARD: "dim", Status.PRUNED: "dim"}
_QUARTER = 0.25


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as far as they matter: `7 h 58 min`, `12 min`, `45 s`."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min" if minutes >= 10 else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def outcome(trial: TrialRecord) -> str:
    """One line: what a trial came to."""
    score = "" if trial.val_bpb is None else f"  val_bpb {trial.val_bpb:.6f}"
    reason = f"  {trial.reason}" if trial.reason else ""
    return f"trial {trial.number:>3}  {trial.kind:<8}  {trial.status:<11}{score}  {trial.title}{reason}"


def standing_line(standing: Standing) -> str:
    """One line: where the study stands."""
    parts = []
    if standing.best is not None:
        parts.append(f"best {standing.best:.6f}")
    if standing.gain is not None:
        parts.append(f"gain {standing.gain:+.6f}")
    parts.extend(f"{count} {status}" for status, count in sorted(standing.counts.items()))
    if standing.trials_left is not None:
        parts.append(f"{standing.trials_left} to go")
    if standing.seconds_left is not None:
        parts.append(f"{duration(standing.seconds_left)} left")
    if standing.spent_usd is not None:
        limit = "" if standing.limit_usd is None else f" of {usd(standing.limit_usd)}"
        parts.append(f"{usd(standing.spent_usd)}{limit} spent")
    return "  ".join(parts)


class Plain(Watch):
    """Lines for a log: a trial's start, each quarter of its budget, its end."""

    def __init__(self, stream: TextIO = sys.stderr, prefix: str = "") -> None:
        self._stream, self._prefix = stream, prefix
        self._quarter = 0

    def note(self, line: str) -> None:
        """Print the line."""
        print(f"{self._prefix}{line}", file=self._stream, flush=True)

    def started(self, trial: TrialRecord) -> None:
        """Print which trial starts."""
        self._quarter = 0
        self.note(f"trial {trial.number:>3}  {trial.kind:<8}  starts       {trial.revision[:8]}  {trial.title}")

    def progress(self, trial: TrialRecord, progress: Progress) -> None:
        """Print each quarter."""
        if int(progress.fraction / _QUARTER) > self._quarter:
            self._quarter = int(progress.fraction / _QUARTER)
            self.note(f"trial {trial.number:>3}  {_training(progress)}")

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        """Print what it came to."""
        self.note(outcome(trial))
        self.note(standing_line(standing))


class Terminal(Watch):
    """Finished trials scroll by; below them, the trial in flight and where the study stands."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._trial: TrialRecord | None = None
        self._progress: Progress | None = None
        self._standing: Standing | None = None
        self._lock = threading.Lock()  # notes come from other threads too
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def note(self, line: str) -> None:
        """Print above the live lines."""
        with self._lock:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def started(self, trial: TrialRecord) -> None:
        """Show it."""
        self._live.start()  # only now: until the first trial another display, of the data that are prepared, may be there
        self._trial, self._progress = trial, None

    def progress(self, trial: TrialRecord, progress: Progress) -> None:
        """Show how far it is."""
        self._progress = progress

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        """Print what it came to and show the new standing."""
        self._trial, self._progress, self._standing = None, None, standing
        with self._lock:
            self._console.print(Text(outcome(trial), style=_COLOURS.get(trial.status, "yellow")), soft_wrap=True)

    def _render(self) -> Group:
        lines: list[Text | Table] = []
        trial, progress = self._trial, self._progress
        if trial is not None:
            head = f"trial {trial.number}  {trial.kind}  {trial.revision[:8]}  {trial.title}"
            lines.append(Text(head, style="bold", no_wrap=True, overflow="ellipsis"))
            row = Table.grid(padding=(0, 2))
            if progress is None:
                row.add_row(ProgressBar(width=30, pulse=True), "starting")
            elif progress.fraction >= 1:
                row.add_row(ProgressBar(width=30, total=1, completed=1), "judging")
            else:
                row.add_row(ProgressBar(width=30, total=1, completed=progress.fraction), _training(progress))
            lines.append(row)
        if self._standing is not None:
            lines.append(Text(standing_line(self._standing), no_wrap=True, overflow="ellipsis"))
        return Group(*lines)


def _training(progress: Progress) -> str:
    return f"{progress.fraction:4.0%}  loss {progress.loss:.4f}  {progress.tokens_per_second:,.0f} tokens/s"


@contextmanager
def watch_for(stream: TextIO, prefix: str | None) -> Iterator[Watch]:
    """The display that suits where the output goes; one of several workers, which has a prefix, prints plain lines."""
    if prefix is not None or not stream.isatty():
        yield Plain(stream, prefix or "")
        return
    with Terminal(Console(file=stream)) as terminal:
        yield terminal
