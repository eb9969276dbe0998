"""The text of a `train.py`: reading it, writing other defaults into it, importing it.

The file on disk is always what ran: where a preset or a study changes a default, the text is rewritten before it is
imported, so a reader (a person or a language model) never has to add up a file and a list of overrides.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoresearch.errors import AutoresearchError, OutOfMemory, RevisionError
from autoresearch.knobs import Knob, KnobValue, knobs_of

_MODULE_NAME = "autoresearch_candidate"  # one revision is loaded in a process
_KNOBS_MODULE_NAME = "autoresearch_knobs"
BATCH_KNOBS = ("device_batch_size", "total_batch_size")  # the harness makes the batches, so it must know them


@dataclass(frozen=True)
class Revision:
    """An imported `train.py`."""

    path: Path
    hyperparameters: type[Any]
    gpt: type[Any]
    knobs: dict[str, Knob]


def package_source() -> str:
    """The text of the package's own `train.py`, revision 0 of every study."""
    return (resources.files("autoresearch") / "train.py").read_text(encoding="utf-8")


def package_knobs(source: str | None = None) -> dict[str, Knob]:
    """The knobs of the package's own `train.py`, without what takes seconds to import: Lightning and torch's compiler.

    Of the text only the class `Hyperparameters` is run, and the imports that it stands on.

    Args:
        source: The text with other defaults and ranges; None: as it is.
    """
    tree = _parse(package_source() if source is None else source)
    stands_on = ("dataclasses", "typing", "optuna.distributions")
    tree.body = [
        node
        for node in tree.body
        if (isinstance(node, ast.ImportFrom) and node.module in stands_on)
        or (isinstance(node, ast.ClassDef) and node.name == "Hyperparameters")
    ]
    module = types.ModuleType(_KNOBS_MODULE_NAME)
    sys.modules[_KNOBS_MODULE_NAME] = module
    exec(compile(tree, "train.py", "exec"), module.__dict__)  # noqa: S102
    return knobs_of(module.Hyperparameters)


def read_source(path: Path) -> str:
    """The text of a user's `train.py`.

    Raises:
        RevisionError: It cannot be read or is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise RevisionError(f"cannot read {path}: {reason}; expected a Python file such as train.py") from None


def preset_of(source: str) -> str | None:
    """The preset whose machine the file's defaults are for: its constant `PRESET`, None where it has none."""
    for node in _parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="PRESET")], value=ast.Constant(value=str(name))):
                return name
    return None


def with_defaults(
    source: str,
    values: Mapping[str, KnobValue],
    ranges: Mapping[str, BaseDistribution] | None = None,
    preset: str | None = None,
) -> str:
    """Write other defaults, and if given other ranges and another `PRESET`, into the text of a `train.py`.

    Everything else, comments and layout included, stays as it is. Names that the file does not declare are passed
    over: an edit may have removed a knob.

    Raises:
        RevisionError: The text does not parse, declares no `Hyperparameters`, or has a range that is not written in
            the annotation with a class imported from `optuna.distributions`.
    """
    ranges = ranges or {}
    tree = _parse(source)
    classes = _distribution_names(tree)
    changes: list[tuple[ast.expr, str]] = []
    for field in _fields(tree):
        name = field.target.id if isinstance(field.target, ast.Name) else ""
        if name in values and field.value is not None:
            changes.append((field.value, repr(values[name])))
        if name in ranges:
            changes.append((_range_of(field, name, classes), _constructor(ranges[name], name, classes)))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="PRESET")], value=value) if preset is not None:
                changes.append((value, f'"{preset}"'))
    return _replace(source, changes)


def load(path: Path) -> Revision:
    """Import a `train.py` and check that it exports what the contract asks for.

    Raises:
        RevisionError: It fails on import (the message ends with the line at fault), or lacks `Hyperparameters` or
            `GPT`, or declares a knob wrongly.
    """
    # Compiled here and not by the import system: its bytecode cache tells a rewritten file from the old one only by
    # size and whole seconds, and it refuses a name that does not end in .py.
    module = types.ModuleType(_MODULE_NAME)
    module.__file__ = str(path)
    sys.modules[_MODULE_NAME] = module  # dataclasses and pickling look a class's module up by name
    linecache.checkcache(str(path))
    text = read_source(path)
    with candidate_failures(path, RevisionError):
        exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102 -- to run it is the purpose
    for name in ("Hyperparameters", "GPT"):
        if not isinstance(getattr(module, name, None), type):
            raise RevisionError(f"{path.name} must define a class {name}")
    knobs = knobs_of(module.Hyperparameters)
    for name in BATCH_KNOBS:
        if name not in knobs or knobs[name].kind is not int:
            raise RevisionError(f"{path.name} must declare the knob {name}, an int: the harness makes the batches")
    return Revision(path, module.Hyperparameters, module.GPT, knobs)


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        raise RevisionError(f"the file is no valid Python: {line}") from None


def _fields(tree: ast.Module) -> list[ast.AnnAssign]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Hyperparameters":
            return [field for field in node.body if isinstance(field, ast.AnnAssign)]
    raise RevisionError("the file declares no class Hyperparameters")


def _distribution_names(tree: ast.Module) -> dict[str, str]:
    """Optuna's distribution classes -> the names under which the file imports them."""
    return {
        alias.name: alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "optuna.distributions"
        for alias in node.names
    }


def _range_of(field: ast.AnnAssign, name: str, classes: Mapping[str, str]) -> ast.expr:
    """The place in the text where a knob's range stands."""
    match field.annotation:
        case ast.Subscript(slice=ast.Tuple(elts=[_, *extras])):
            for extra in extras:
                match extra:
                    case ast.Call(func=ast.Name(id=called)) if called in classes.values():
                        return extra
    raise RevisionError(
        f"cannot replace the range of knob {name!r}: expected it in the annotation, as in "
        "Annotated[int, IntDistribution(1, 8)], with the class imported from optuna.distributions"
    )


def _constructor(distribution: BaseDistribution, name: str, classes: Mapping[str, str]) -> str:
    """The call that makes a distribution, under the name by which the file calls its class."""
    kind = type(distribution).__name__
    if kind not in classes:
        raise RevisionError(f"cannot replace the range of knob {name!r}: the file does not import {kind}")
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"{classes[kind]}({choices!r})"
        case IntDistribution(low=low, high=high, log=log) | FloatDistribution(low=low, high=high, log=log):
            step = "" if distribution.step in (None, 1) else f", step={distribution.step!r}"
            return f"{classes[kind]}({low!r}, {high!r}{step}{', log=True' if log else ''})"
    raise RevisionError(f"cannot write the range {distribution!r}")


def _replace(source: str, changes: list[tuple[ast.expr, str]]) -> str:
    # ast counts columns in UTF-8 bytes, so the text is cut as bytes; from the end, so that earlier places stay put.
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    text = source.encode()
    for node, new in sorted(changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        text = text[:start] + new.encode() + text[end:]
    return text.decode()


@contextmanager
def candidate_failures(path: Path, failure: type[AutoresearchError]) -> Iterator[None]:
    """Turn whatever a revision's code raises into one line of ours that names the place in its file.

    The one broad `except` of this package: the code of a revision is somebody else's and may raise anything.
    """
    try:
        yield
    except AutoresearchError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        advice = "a smaller device_batch_size needs less memory"
        raise OutOfMemory(f"out of memory: {_first_line(error)}; {advice}") from error
    except (Exception, SystemExit) as error:
        raise failure(
            f"{path.name} failed: {type(error).__name__}: {_first_line(error)}{_place(error, path)}"
        ) from error


def _first_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg  # str(error) names the line a second time
    # torch.compile wraps what went wrong inside in paragraphs of its own.
    wrapped = (
        re.search(r"\bgot (\w+(?:Error|Exception)\(.+)", str(error)) if type(error).__module__[:6] == "torch." else None
    )
    if wrapped:
        return wrapped.group(1)
    return (str(error).strip() or "no message").splitlines()[0]


def _place(error: BaseException, path: Path) -> str:
    """The innermost line of the file that an error passed through."""
    line = getattr(error, "lineno", None)  # a SyntaxError
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""
