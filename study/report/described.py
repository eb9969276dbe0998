"""What a trial tried, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from ..records import Kind, TrialRecord
from .figures import changed_values, knob, one_line


def tried(trial: TrialRecord, trials: Mapping[int, TrialRecord]) -> str:
    """A sample's values that differ from its parent's; an edit's title.

    Args:
        trial: The trial.
        trials: All of the study's, by number.
    """
    parent = None if trial.parent is None else trials.get(trial.parent)
    if trial.kind is Kind.SAMPLE and parent is not None:
        changes = changed_values(parent.values, trial.values)
        return ", ".join(f"{name}={knob(new)}" for name, (_, new) in changes.items() if new is not None) or trial.title
    return one_line(trial.title)


def description(trial: TrialRecord, trials: Mapping[int, TrialRecord]) -> str:
    """What was tried; and where there is no score, why."""
    what = tried(trial, trials)
    return f"{what} ({one_line(trial.reason)})" if trial.reason and trial.val_bpb is None else what


def shortened(text: str, longest: int) -> str:
    """A text, cut where it is longer than so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip(' ,')}…"
