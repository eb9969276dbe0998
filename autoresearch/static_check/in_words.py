"""The rules of the check in words, for whoever writes a `train.py`: from the tables that the check itself applies.

They take a few thousand words, and spare an edit that is refused for a name it could have done without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .allowed_names import (
    ONLY,
    OPEN,
    REFUSED_ATTRIBUTES,
    REFUSED_BUILTINS,
    REFUSED_METHODS,
    REFUSED_PATHS,
    SPECIAL_METHODS,
    TRAINER_READS,
)
from .check import LEARNING, NOT_TRAINING
from .source_limits import MAX_BYTES, MAX_INTEGER_BITS, MAX_LINE, MAX_NUMBERS, MAX_STRING, MAX_STRINGS


def rules_in_words() -> str:
    """What may be named, what may not and why, and how large the text may be; one rule a line."""
    return "\n".join([*_imports(), *_refusals(), *_classes(), _sizes()])


def _imports() -> Iterator[str]:
    yield f"- These modules may be imported, with all that is public in them: {_listed(OPEN)}."
    yield "- Imports by * and relative ones are refused. Of these modules only the names given may be used:"
    for module, names in sorted(ONLY.items()):
        if names:
            yield f"  - {module}: {_listed(names)}"


def _refusals() -> Iterator[str]:
    yield "- Refused wherever they come from, with the reason:"
    for reason, names in _by_reason({**REFUSED_PATHS, **REFUSED_BUILTINS}).items():
        yield f"  - {_listed(names)}: {reason}"
    yield "- Refused behind any dot:"
    for reason, names in _by_reason(REFUSED_ATTRIBUTES).items():
        yield f"  - {_listed(f'.{name}' for name in names)}: {reason}"


def _classes() -> Iterator[str]:
    yield f"- Of the Trainer a model may read {_listed(TRAINER_READS)}, as in self.trainer.global_step; nothing else."
    yield f"- A class has no metaclass and defines none of {_listed(REFUSED_METHODS)}."
    yield f"- The special methods that a class may define: {_listed(SPECIAL_METHODS)}."
    yield (
        "- Gradients and optimizer steps are computed in training_step or what Lightning calls while it trains; outside of "
        f"any function, or in a method called {_listed(NOT_TRAINING)}, they are refused."
    )
    yield f"- {_listed(LEARNING)}: only in an optimizer's step and in the backward of a Function. torch.no_grad is free."
    yield '- getattr and setattr take a name that is written down, as in getattr(self, "name"); setattr only on self.'


def _sizes() -> str:
    return (
        f"- At most {MAX_BYTES:,} bytes, {MAX_LINE:,} characters a line, {MAX_NUMBERS:,} numbers, integers of "
        f"{MAX_INTEGER_BITS} bits, {MAX_STRING:,} bytes a string and {MAX_STRINGS:,} in all: compute tables, do not write "
        "them down."
    )


def _by_reason(refused: Mapping[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, reason in refused.items():
        names.setdefault(reason, []).append(name)
    return dict(sorted(names.items()))


def _listed(names: Iterable[str]) -> str:
    """In the order of the alphabet: a set has another one in each process."""
    return ", ".join(sorted(names))
