"""What a `train.py` must define, as far as its text shows: `Hyperparameters` and `GPT`."""

from __future__ import annotations

import ast

from autoresearch.errors import RevisionError

from .source_tree import Function, SourceTree

METHODS = ("forward", "training_step", "configure_optimizers")
_TARGETS = frozenset({"label", "labels", "target", "targets", "y"})


def check_contract(tree: SourceTree) -> None:
    """Refuse a file that lacks what the harness calls.

    Raises:
        RevisionError: With the line of the class or method at fault, where there is one.
    """
    _check_hyperparameters(tree, _class(tree, "Hyperparameters", "a frozen dataclass of knobs"))
    gpt = _class(tree, "GPT", "a LightningModule")
    classes, outside = tree.lineage(gpt)
    if not any(base.endswith(".LightningModule") for base in outside):
        raise RevisionError(f"line {gpt.lineno}: GPT is no LightningModule; write class GPT(LightningModule)")
    # The nearest definition counts.
    methods = {
        node.name: node for class_ in reversed(classes) for node in class_.body if isinstance(node, ast.FunctionDef)
    }
    for name in METHODS:
        if name not in methods:
            raise RevisionError(
                f"line {gpt.lineno}: GPT has no method {name}; the contract asks for {', '.join(METHODS)}"
            )
    _check_forward(methods["forward"])


def _class(tree: SourceTree, name: str, kind: str) -> ast.ClassDef:
    for node in reversed(tree.module.body):  # the last one counts
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise RevisionError(f"the file defines no class {name}; the contract asks for it, {kind}, at the top level")


def _check_hyperparameters(tree: SourceTree, class_: ast.ClassDef) -> None:
    for decorator in class_.decorator_list:
        match decorator:
            case ast.Call(func=function, keywords=keywords) if "dataclasses.dataclass" in tree.paths(function):
                for keyword in keywords:
                    match keyword:
                        case ast.keyword(arg="frozen", value=ast.Constant(value=True)):
                            return
    raise RevisionError(
        f"line {class_.lineno}: Hyperparameters is no frozen dataclass; write @dataclass(frozen=True) above it"
    )


def _check_forward(forward: Function) -> None:
    own = forward.args
    positional = [argument.arg for argument in (*own.posonlyargs, *own.args)]
    optional = [argument.arg for argument in own.kwonlyargs]
    required = [name for name, default in zip(optional, own.kw_defaults, strict=True) if default is None]
    starred = [f"*{argument.arg}" for argument in (own.vararg, own.kwarg) if argument]
    if len(positional) != 2 or required or starred or _TARGETS & {*positional, *optional}:
        taken = ", ".join([*positional, *starred, *optional])
        raise RevisionError(
            f"line {forward.lineno}: forward takes ({taken}), expected (self, tokens): the judge gives tokens alone, "
            "targets go to training_step, and anything else must be keyword-only with a default"
        )
