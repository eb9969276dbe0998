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

_FEWEST_PROBES = 16  # whose mean says something
_SIGMAS = 6.0  # over the spans of all trials of a night, chance does not get there
_PART_OF_TOLERANCE = 1 / 500  # less than this is worth nothing, and may be a bias of the arithmetic
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
class Drift:
    """By how much predictions differ on average, with a sign: above zero they were better with the true tokens after them."""

    nats: float
    standard_error: float  # over the probes
    span: int  # positions before the cut


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


def worst_disagreements(
    found: np.ndarray, sheets: Sequence[Sheet], answers: Sequence[np.ndarray]
) -> tuple[Disagreement, Disagreement]:
    """Among all pairs of answers that must agree, the two that differ most: of a row asked again as it is, and of a probe.

    Args:
        found: From `nats_by_row`.
        sheets: The questions.
        answers: As there.
    """
    length = found.shape[1]
    again, probed = Disagreement(0.0, 0, 0, length), Disagreement(0.0, 0, 0, length)
    for sheet, nats in zip(sheets, answers, strict=True):
        difference = _difference(nats, found[sheet.rows])
        as_it_is = sheet.cuts == length
        again = _worse(again, sheet, np.where(as_it_is[:, None], difference, 0.0))
        before_cut = np.arange(length) < sheet.cuts[:, None]  # (n, T)
        probed = _worse(probed, sheet, np.where(before_cut & ~as_it_is[:, None], difference, 0.0))
    return again, probed


def _difference(nats: np.ndarray, found: np.ndarray) -> np.ndarray:
    """By how much answers differ. Where one is a number and the other is none, a model keeps silent when it likes to."""
    a_number, another = np.isfinite(nats), np.isfinite(found)
    with np.errstate(invalid="ignore"):
        difference = np.abs(nats - found)
    # Two answers that are both not finite are no sign of anything: such a model has no score.
    return np.where(a_number & another, difference, np.where(a_number == another, 0.0, np.inf))


def _worse(worst: Disagreement, sheet: Sheet, difference: np.ndarray) -> Disagreement:
    """The worst so far, or the greatest of these differences `(n, T)` if it is worse."""
    if difference.size:
        at = np.unravel_index(int(difference.argmax()), difference.shape)
        if difference[at] > worst.nats:
            question, position = int(at[0]), int(at[1])
            return Disagreement(float(difference[at]), int(sheet.rows[question]), position, int(sheet.cuts[question]))
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


def drift(found: np.ndarray, sheets: Sequence[Sheet], answers: Sequence[np.ndarray]) -> Drift | None:
    """How much worse the predictions before a cut are on average, where the tokens after it were replaced.

    Rounding has no sign: over all probes it comes to nothing, however small a leak may be that is not rounding. Spans of 1, 2,
    4, … positions before the cut are looked at, since a leak may reach one position or all; the most striking counts.

    Returns:
        None where there are too few probes to tell.
    """
    length = found.shape[1]
    probes = [
        (nats[at].astype(np.float64) - found[sheet.rows[at]], int(sheet.cuts[at]))
        for sheet, nats in zip(sheets, answers, strict=True)
        for at in np.flatnonzero(sheet.cuts < length)
    ]
    if len(probes) < _FEWEST_PROBES:
        return None
    drifts, span = [], 1
    while span <= length:
        means = np.array([difference[max(0, cut - span) : cut].mean() for difference, cut in probes])
        drifts.append(Drift(float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means))), span))
        span *= 2
    return max(drifts, key=lambda one: one.nats / one.standard_error if one.standard_error > 0 else one.nats)


def refuse_drift(found: Drift | None, tolerance: float) -> None:
    """Raise a Cheat where predictions get worse without the tokens after them, by more than chance can explain."""
    if found is None or found.nats <= max(_PART_OF_TOLERANCE * tolerance, _SIGMAS * found.standard_error):
        return
    raise Cheat(
        f"the predictions in the {found.span} positions before a place were worse by {found.nats:.3g} ± "
        f"{found.standard_error:.1g} nats on average when the tokens from there on were replaced: a position must not "
        "depend on later tokens"
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
