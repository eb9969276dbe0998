"""The text of a `train.py` as a tree that can be asked: what stands around a node, and which import a name means."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property

from autoresearch.errors import RevisionError

MAX_DEPTH = 100  # of nodes inside nodes; the package's own file has 15, and Python's stack ends at about 1000

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class SourceTree:
    """A parsed file.

    Attributes:
        module: The root.
        parents: Each node -> the node around it, and the field of that node in which it stands. Annotations that are
            written as text are in it as the expressions they stand for: whoever reads the annotations runs them.

    Raises:
        RevisionError: The text is no valid Python, or nested too deeply.
    """

    def __init__(self, source: str) -> None:
        self.module = _parse(source)
        self.parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        self._bound: dict[ast.AST, frozenset[str]] = {}
        self._collect()
        _compile(self.module)  # finds what parsing lets pass, such as a return outside of a function

    def _collect(self) -> None:
        # A loop and no recursion: how deep the tree is, is what it finds out.
        level: list[tuple[ast.AST, bool]] = [(self.module, False)]  # nodes, and whether they are part of an annotation
        for _ in range(MAX_DEPTH):
            level = [child for node, annotation in level for child in self._children(node, annotation)]
            if not level:
                return
        line = next((node.lineno for node, _ in level if isinstance(node, ast.expr | ast.stmt)), 1)
        raise RevisionError(f"line {line}: more than {MAX_DEPTH} levels inside one another; take it apart")

    def _children(self, node: ast.AST, annotation: bool) -> Iterator[tuple[ast.AST, bool]]:
        fields = _text_annotation(node) if annotation and isinstance(node, ast.Constant) else _fields(node)
        for field, child in fields:
            self.parents[child] = (node, field)
            # The text in a range or a Literal is never read as code.
            yield child, (annotation or field in ("annotation", "returns")) and not _holds_values(child)

    def ancestors(self, node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
        """What stands around a node, from the inside out, each with its field that leads to the node."""
        while node in self.parents:
            node, field = self.parents[node]
            yield node, field

    def functions_around(self, node: ast.AST) -> list[Function]:
        """The functions in whose body a node stands, from the inside out."""
        return [parent for parent, field in self.ancestors(node) if isinstance(parent, _FUNCTIONS) and field == "body"]

    def class_of(self, function: ast.AST) -> ast.ClassDef | None:
        """The class of which a function is a method."""
        parent = self.parents[function][0]
        return parent if isinstance(parent, ast.ClassDef) else None

    @cached_property
    def imports(self) -> dict[str, frozenset[str]]:
        """Local names -> the dotted paths that they were imported from, anywhere in the file."""
        found: dict[str, frozenset[str]] = {}
        for node in self.parents:
            for name, path in _imported(node):
                found[name] = found.get(name, frozenset()) | {path}
        return found

    def paths(self, node: ast.AST) -> frozenset[str]:
        """The dotted paths of imports that `name` or `name.attribute...` may mean; none for all other expressions."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imports or self.is_local(node):
            return frozenset()
        return frozenset(".".join([path, *reversed(attributes)]) for path in self.imports[node.id])

    def is_local(self, name: ast.Name) -> bool:
        """Whether a function or comprehension around the name binds it, to something that is not imported."""
        source_of_loop = False
        for node, field in self.ancestors(name):
            if isinstance(node, ast.comprehension):
                source_of_loop = field == "iter"  # which the scope around may provide
            elif isinstance(node, _COMPREHENSIONS):
                if not source_of_loop and name.id in self._bound_by(node):
                    return True
                source_of_loop = False
            elif isinstance(node, _SCOPES) and field == "body" and name.id in self._bound_by(node):
                return True
        return False

    def _bound_by(self, scope: ast.AST) -> frozenset[str]:
        if scope not in self._bound:
            self._bound[scope] = frozenset(_bound_names(scope))
        return self._bound[scope]

    def lineage(self, class_: ast.ClassDef) -> tuple[list[ast.ClassDef], frozenset[str]]:
        """A class and its bases in this file, nearest first, and the imports that any of them inherits from."""
        defined = {node.name: node for node in self.module.body if isinstance(node, ast.ClassDef)}
        classes, outside = [class_], set[str]()
        for known in classes:  # grows while it is walked
            for base in known.bases:
                outside |= self.paths(base)
                if isinstance(base, ast.Name) and base.id in defined and defined[base.id] not in classes:
                    classes.append(defined[base.id])
        return classes, frozenset(outside)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Python's warnings, as about escapes in strings: they are the edit's own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parse(source: str) -> ast.Module:
    try:
        with _quiet():
            return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise RevisionError(_invalid(error)) from None
    except (RecursionError, MemoryError):
        raise RevisionError("the file nests too deeply for Python to read it; take its expressions apart") from None


def _compile(module: ast.Module) -> None:
    try:
        with _quiet():
            compile(module, "train.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise RevisionError(_invalid(error)) from None


def _invalid(error: SyntaxError | ValueError) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: the file is no valid Python: {error.msg}"
    return f"the file is no valid Python: {error}"


def _fields(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                yield field, child


def _text_annotation(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, str):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError), _quiet():  # then nobody can run it, either
            text = node.value.lstrip("* \t")  # typing runs what a star stands before, too
            expression = ast.parse(text, mode="eval").body
            for inner in ast.walk(expression):
                if isinstance(inner, ast.expr):
                    inner.lineno = node.lineno
            yield "value", expression


def _holds_values(node: ast.AST) -> bool:
    match node:
        case ast.Call():
            return True
        case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal")):
            return True
    return False


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        case ast.ImportFrom(module=module, names=names):
            for alias in names:
                yield alias.asname or alias.name, f"{module}.{alias.name}"


def _bound_names(scope: ast.AST) -> set[str]:
    """The names that a function or comprehension binds itself, but for imports and what it takes from around it."""
    if isinstance(scope, _COMPREHENSIONS):
        targets = [node for loop in scope.generators for node in ast.walk(loop.target)]
        return {node.id for node in targets if isinstance(node, ast.Name)}
    assert isinstance(scope, _SCOPES)
    own = scope.args
    arguments = [*own.posonlyargs, *own.args, *own.kwonlyargs, *filter(None, (own.vararg, own.kwarg))]
    bound = {argument.arg for argument in arguments}
    elsewhere = {name for node in ast.walk(scope) for name, _ in _imported(node)}
    waiting: list[ast.AST] = list(scope.body) if isinstance(scope.body, list) else []
    for node in waiting:  # grows while it is walked
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                elsewhere.update(names)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
        if not isinstance(node, (*_SCOPES, *_COMPREHENSIONS, ast.ClassDef)):
            waiting.extend(child for _, child in _fields(node))
    return bound - elsewhere
