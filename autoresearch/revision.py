"""The text of a `train.py`: reading it, writing other defaults into it, importing it.

The file on disk is always what ran: where a preset or a study changes a default, the text is rewritten before it is
imported, so a reader (a person or a language model) never has to add up a file and a list of overrides.
"""

from __future__ import annotations

import ast
import importlib.util
import linecache
import sys
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

from autoresearch.errors import AutoresearchError, RevisionError, TrialError
from autoresearch.knobs import Knob, KnobValue, knobs_of

_MODULE_NAME = "autoresearch_candidate"  # one revision is loaded in a process
_HARNESS_KNOBS = ("device_batch_size", "total_batch_size")  # the harness makes the batches, so it must know them


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
        RevisionError: The text does not parse or declares no `Hyperparameters`.
    """
    ranges = ranges or {}
    tree = _parse(source)
    changes: list[tuple[ast.expr, str]] = []
    for field in _fields(tree):
        name = field.target.id if isinstance(field.target, ast.Name) else ""
        if name in values and field.value is not None:
            changes.append((field.value, repr(values[name])))
        match field.annotation:
            case ast.Subscript(slice=ast.Tuple(elts=[_, distribution, *_])) if name in ranges:
                changes.append((distribution, _constructor(ranges[name], ast.unparse(distribution))))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="PRESET")], value=value) if preset is not None:
                changes.append((value, _quoted(preset)))
    return _replace(source, changes)


def load(path: Path) -> Revision:
    """Import a `train.py` and check that it exports what the contract asks for.

    Raises:
        RevisionError: It fails on import (the message ends with the line at fault), or lacks `Hyperparameters` or
            `GPT`, or declares a knob wrongly.
    """
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(_MODULE_NAME, path)
    assert spec is not None
    assert spec.loader is not None  # a .py path always has one
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE_NAME] = module  # dataclasses and pickling look a class's module up by name
    with candidate_failures(path, RevisionError):
        spec.loader.exec_module(module)
    for name in ("Hyperparameters", "GPT"):
        if not isinstance(getattr(module, name, None), type):
            raise RevisionError(f"{path.name} must define a class {name}")
    knobs = knobs_of(module.Hyperparameters)
    for name in _HARNESS_KNOBS:
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


def _constructor(distribution: BaseDistribution, old: str) -> str:
    """The call that makes a distribution, under the name by which the file calls its class now."""
    name = old.partition("(")[0]
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"{name}({choices!r})"
        case IntDistribution(low=low, high=high, log=log) | FloatDistribution(low=low, high=high, log=log):
            return f"{name}({low!r}, {high!r}{', log=True' if log else ''})"
    raise RevisionError(f"cannot write the range {distribution!r}")


def _quoted(text: str) -> str:
    return f'"{text}"'


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
        raise TrialError(f"out of memory: {_first_line(error)}; {advice}") from error
    except Exception as error:
        raise failure(
            f"{path.name} failed: {type(error).__name__}: {_first_line(error)}{_place(error, path)}"
        ) from error


def _first_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg  # str(error) names the line a second time
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
