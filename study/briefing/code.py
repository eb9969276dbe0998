"""The part of a briefing that stays until the next promotion: the incumbent's text, and the values that it runs with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.distributions import FloatDistribution, IntDistribution

from autoresearch.knobs import Knob, KnobValue, describe

from ..records import Incumbent, Revision
from ..report.described import shortened
from ..report.figures import one_line
from .quoting import enclosed, fitted

KNOBS_BYTES = 8_000  # for the list of knobs; the package's own takes a fifth of it
_LONGEST_NAME, _LONGEST_RANGE = 60, 200  # characters


def code(incumbent: Incumbent, revision: Revision) -> str:
    """The text that an edit's blocks must match, and its knobs."""
    knobs = _most_telling_first(revision.knobs, incumbent.values)
    shown, _ = fitted([_knob(knob, incumbent.values[knob.name]) for knob in knobs], KNOBS_BYTES)
    more = _left_out(knobs[len(shown) :], incumbent.values)
    return f"""\
# train.py as it stands

Revision {revision.short}, which the incumbent, trial {incumbent.number}, ran. An edit is made of the text between these two lines.

{enclosed(revision.source, "train.py")}

# The values of its knobs

A trial runs with the values here and not with the defaults in the text. An edit of the code keeps them. Where it changes a
default, the knob runs at that; so does one that is new, or whose new range leaves the value out.

{chr(10).join(shown)}{more}"""


def _most_telling_first(knobs: Mapping[str, Knob], values: Mapping[str, KnobValue]) -> list[Knob]:
    """Those that do not run at their default, then the others, each in the order of the text."""
    return sorted(knobs.values(), key=lambda knob: values[knob.name] == knob.default)


def _left_out(rest: Sequence[Knob], values: Mapping[str, KnobValue]) -> str:
    if not rest:
        return ""
    at_defaults = all(values[knob.name] == knob.default for knob in rest)
    return f"\n({len(rest)} more, {'which run at the defaults in the text' if at_defaults else 'too many to list'})"


def _knob(knob: Knob, value: KnobValue) -> str:
    default = "" if value == knob.default else f"; the text says {_shown(knob.default)}"
    return f"- {shortened(one_line(knob.name), _LONGEST_NAME)} = {_shown(value)} ({_range(knob)}{default})"


def _shown(value: KnobValue) -> str:
    return shortened(one_line(repr(value)), _LONGEST_NAME)


def _range(knob: Knob) -> str:
    log = isinstance(knob.distribution, FloatDistribution | IntDistribution) and knob.distribution.log
    return shortened(one_line(describe(knob.distribution)), _LONGEST_RANGE) + (", logarithmic" if log else "")
