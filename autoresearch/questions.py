"""What the judge asks to learn two things at once: how good a model is, and whether it plays by the rules.

A model's prediction may depend on the tokens before it in its row, and on nothing else. So each row that is scored is asked as
it stands; some are asked a second time with other tokens from a random place on, or just as they were, among other rows. The
two answers must agree, up to the place where the rows part.

The two answers come from two processes, each with the trained weights alone (`Sheet`): what a model keeps from question to
question, or learns from them, or takes from the other rows of a batch, differs between the two and shows. Which of the two
gets the row as it stands is drawn at random, so that neither can tell what is scored from what is a probe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoresearch.errors import Cheat

_LARGEST_SHARE_REPEATED = 4  # at the most every fourth row is repeated as it is: the others can be probed


@dataclass(frozen=True)
class Sheet:
    """The questions for one process, in the order in which they are asked."""

    rows: np.ndarray  # (n,) which row of the split
    cuts: np.ndarray  # (n,) where the row parts from itself; T where it is asked as it stands
    tokens: np.ndarray  # (n, T) what is asked

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Disagreement:
    """The two answers that differ most."""

    nats: float
    row: int
    position: int
    cut: int  # T where both were asked the row as it stands


def plan(tokens: np.ndarray, probed: int, repeated: int, random: np.random.Generator) -> tuple[Sheet, Sheet]:
    """Questions that score every row once, with so many of the rows probed and so many others repeated as they are.

    No process is asked two questions that begin alike: from the second it could see what the first was.

    Args:
        tokens: `(rows, T)` of the split.
        probed: Rows that are asked again with another end.
        repeated: Rows that are asked again as they are.
        random: Nobody but the judge knows its seed.
    """
    count, length = tokens.shape
    side = random.permutation(count) % 2  # which of the two is asked the row as it stands
    twice = random.permutation(count)
    repeats_wanted = min(repeated, count // _LARGEST_SHARE_REPEATED)
    again, ends = twice[:repeats_wanted], twice[repeats_wanted : repeats_wanted + probed]
    cuts = random.integers(1, length, size=len(ends))
    sheets = []
    for process in (0, 1):
        plain = np.flatnonzero(side == process)
        probes = side[ends] != process
        repeats = again[side[again] != process]
        rows = np.concatenate((plain, ends[probes], repeats))
        places = np.concatenate((np.full(len(plain), length), cuts[probes], np.full(len(repeats), length)))
        sheets.append(_sheet(tokens, rows, places, random))
    return sheets[0], sheets[1]


def plan_thorough(tokens: np.ndarray, before: Sequence[Sheet], random: np.random.Generator) -> Sheet:
    """Questions for a third process, that probe every row that was not; those that were are asked as they are."""
    count, length = tokens.shape
    probed = np.concatenate([sheet.rows[sheet.cuts < length] for sheet in before])
    cuts = np.asarray(random.integers(1, length, size=count))
    cuts[probed] = length
    return _sheet(tokens, np.arange(count), cuts, random)


def nats_by_row(sheets: Sequence[Sheet], answers: Sequence[np.ndarray], count: int) -> np.ndarray:
    """The answers to the rows as they stand, each row's first, `(rows, T)`.

    Args:
        sheets: The questions.
        answers: For each sheet `(n, T)` float32, nats of the row's own next token at each position.
        count: Rows of the split.
    """
    found = np.full((count, answers[0].shape[1]), np.nan, dtype=np.float32)
    for sheet, nats in zip(reversed(sheets), reversed(answers), strict=True):
        plain = sheet.cuts == sheet.tokens.shape[1]
        found[sheet.rows[plain][::-1]] = nats[plain][::-1]
    return found


def worst_disagreement(found: np.ndarray, sheets: Sequence[Sheet], answers: Sequence[np.ndarray]) -> Disagreement:
    """Among all pairs of answers that must agree, the two that differ most; plain repeats come before probes.

    Args:
        found: From `nats_by_row`.
        sheets: The questions.
        answers: As there.
    """
    worst = Disagreement(0.0, 0, 0, found.shape[1])
    for sheet, nats in zip(sheets, answers, strict=True):
        before_cut = np.arange(nats.shape[1]) < sheet.cuts[:, None]  # (n, T)
        # Two answers that are both not finite are no sign of anything: such a model has no score.
        difference = np.where(before_cut, np.abs(nats - found[sheet.rows]), 0.0)
        difference = np.nan_to_num(difference, nan=0.0, posinf=np.inf)
        at = np.unravel_index(int(difference.argmax()), difference.shape) if difference.size else (0, 0)
        if difference.size and difference[at] > worst.nats:
            question, position = int(at[0]), int(at[1])
            cut = int(sheet.cuts[question])
            worst = Disagreement(float(difference[at]), int(sheet.rows[question]), position, cut)
    return worst


def refuse(worst: Disagreement, tolerance: float, length: int) -> None:
    """Raise a Cheat, with the evidence in words, where two answers differ by more than rounding can explain."""
    if worst.nats <= tolerance:
        return
    by = f"by {worst.nats:.3g} nats (rounding explains {tolerance:.2g})"
    if worst.cut == length:
        raise Cheat(
            f"the prediction at position {worst.position} of a row changed {by} when the same row was asked again among "
            "others: rows of a batch must not influence each other, and nothing may be kept from batch to batch; what "
            "the model learned must be in its parameters and persistent buffers"
        )
    raise Cheat(
        f"the prediction at position {worst.position} of a row changed {by} when the tokens from {worst.cut} on were "
        "replaced: a position must not depend on later tokens"
    )


def _sheet(tokens: np.ndarray, rows: np.ndarray, cuts: np.ndarray, random: np.random.Generator) -> Sheet:
    order = random.permutation(len(rows))
    rows, cuts = rows[order], cuts[order]
    asked = tokens[rows].copy()
    length = tokens.shape[1]
    for question in np.flatnonzero(cuts < length):
        cut = int(cuts[question])
        asked[question, cut:] = _other_end(tokens, int(rows[question]), cut, random)
    return Sheet(rows, cuts, asked)


def _other_end(tokens: np.ndarray, row: int, cut: int, random: np.random.Generator) -> np.ndarray:
    """The end of another row: text like any other, and from its first token on not the row's own."""
    own = tokens[row, cut:]
    for other in random.integers(len(tokens), size=8):
        if tokens[other, cut] != own[0]:
            return tokens[other, cut:]
    return np.roll(own, 1) if np.any(own != own[0]) else np.full_like(own, (int(own[0]) + 1) % 2)
