"""From an edit to a revision: the incumbent's text with the edit's replacements, and the knob values to run it with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from autoresearch.errors import KnobError
from autoresearch.knobs import Knob, KnobValue, check
from autoresearch.static_check import check_source

from .editors.blocks import apply
from .records import Edit, Revision

KnobsOf = Callable[[str], Mapping[str, Knob]]  # of the text of a train.py; in a process of its own


def sha256_of(source: str) -> str:
    """The name of a text."""
    return hashlib.sha256(source.encode()).hexdigest()


def edited(edit: Edit, base: Revision, editor: str, knobs_of: KnobsOf) -> Revision:
    """The revision that an edit makes of another.

    Raises:
        EditError: A block does not occur exactly once.
        RevisionError: The result does not keep the contract, or names what is none of its business.
    """
    source = apply(base.source, edit.blocks)
    check_source(source)
    return Revision(
        sha256=sha256_of(source),
        source=source,
        knobs=knobs_of(source),
        parent=base.sha256,
        title=edit.title,
        hypothesis=edit.hypothesis,
        blocks=edit.blocks,
        editor=editor,
        program=edit.program,
    )


def inherited_values(base: Revision, new: Revision, values: Mapping[str, KnobValue]) -> dict[str, KnobValue]:
    """The values to run an edit with: its parent's, so that the two differ in nothing but the code.

    A knob that is new, or whose default the edit has changed, or whose range no longer holds the parent's value, takes
    the new text's default: that is what the edit says.
    """
    chosen = {}
    for name, knob in new.knobs.items():
        before = base.knobs.get(name)
        keep = before is not None and name in values and before.default == knob.default and _fits(knob, values[name])
        chosen[name] = values[name] if keep else knob.default
    return chosen


def defaults_of(revision: Revision) -> dict[str, KnobValue]:
    """The values that a text runs with by itself."""
    return {name: knob.default for name, knob in revision.knobs.items()}


def _fits(knob: Knob, value: KnobValue) -> bool:
    try:
        check(knob, value)
    except KnobError:
        return False
    return True
