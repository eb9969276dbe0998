"""The part of a briefing that stays until the next promotion: the incumbent's text, and the values that it runs with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    knobs = [
        _knob(knob, incumbent.values[name]) for name, knob in _most_telling_first(revision.knobs, incumbent.values)
    ]
    shown, whole = fitted(knobs, KNOBS_BYTES)
    more = (
        ""
        if whole
        else f"\n({len(knobs) - len(shown)} more, which run at the defaults in the text or are too many to list)"
    )
    return f"""\
# train.py as it stands

Revision {revision.short}, which the incumbent, trial {incumbent.number}, ran. An edit is made of the text between these two lines.

{enclosed(revision.source, "train.py")}

# The values of its knobs

A trial runs with the values here and not with the defaults in the text. An edit of the code keeps them. Where it changes a
default, the knob runs at that; so does one that is new, or whose new range leaves the value out.

{chr(10).join(shown)}{more}"""


def _most_telling_first(knobs: Mapping[str, Knob], values: Mapping[str, KnobValue]) -> Iterator[tuple[str, Knob]]:
    """In the order of the text; of a great many, those first that do not run at their default."""
    return iter(sorted(knobs.items(), key=lambda item: values[item[0]] == item[1].default))


def _knob(knob: Knob, value: KnobValue) -> str:
    default = "" if value == knob.default else f"; the text says {_shown(knob.default)}"
    return f"- {shortened(one_line(knob.name), _LONGEST_NAME)} = {_shown(value)} ({_range(knob)}{default})"


def _shown(value: KnobValue) -> str:
    return shortened(one_line(repr(value)), _LONGEST_NAME)


def _range(knob: Knob) -> str:
    log = isinstance(knob.distribution, FloatDistribution | IntDistribution) and knob.distribution.log
    return shortened(one_line(describe(knob.distribution)), _LONGEST_RANGE) + (", logarithmic" if log else "")
