"""The check of a revision's text before anything of it runs: its contract, its imports, and what it must leave alone.

It saves the time of a trial, and says in one line what to write instead. It is a courtesy, not a wall: Python can hide
anything from a reader of its text, and what is trusted is the border of the process that runs the revision.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autoresearch.errors import RevisionError

from .allowed_names import (
    BATCHES,
    INTROSPECTION,
    MODULES,
    REFUSED_ATTRIBUTES,
    REFUSED_BUILTINS,
    REFUSED_METHODS,
    SPECIAL_ASSIGNED,
    SPECIAL_METHODS,
    SPECIAL_READS,
    TRAINER_READS,
    import_objection,
    objection,
)
from .contract import check_contract
from .source_limits import check_literals, check_text
from .source_tree import SourceTree

# Lightning and the judge call these before the clock starts, after it has stopped, or while the model is judged.
NOT_TRAINING = {
    "__init__",
    "__post_init__",
    "configure_model",
    "configure_optimizers",
    "flops_per_token",
    "forward",
    "on_fit_end",
    "on_fit_start",
    "on_train_end",
    "on_train_start",
    "prepare_data",
    "setup",
    "teardown",
}
_GRADIENTS = frozenset({"torch.autograd.backward", "torch.autograd.grad"})
LEARNING = frozenset(
    f"{module}.{name}"
    for module in ("torch", "torch.autograd")
    for name in ("enable_grad", "inference_mode", "set_grad_enabled")
)

_SPECIAL = "is a special name that changes how Python treats objects; use plain methods and attributes"
_PATCHES = "changes what other code uses, too; write a function or a subclass of your own"
_TRAINER = f"reaches into the Trainer; of it a train.py may read {', '.join(sorted(TRAINER_READS))}"
_WRITTEN_NAME = {
    "getattr": 'getattr(x, "name"), or with an f-string that begins with a letter; write x.name, or use an nn.ModuleList',
    "setattr": 'setattr(self, "name", value), or with an f-string that begins with a letter; write self.name = value',
}

Objections = Iterator[str | None]  # of one rule to one node; None stands for no objection


def check_source(source: str) -> None:
    """Refuse the text of a `train.py` that does not keep the contract, or names what is none of its business.

    Raises:
        RevisionError: The first thing that is wrong, in one line: where it stands, and what to do instead.
    """
    check_text(source)
    tree = SourceTree(source)
    objections = [*check_literals(tree)]
    for node in tree.parents:
        objections += [(getattr(node, "lineno", 1), what) for rule in _RULES for what in rule(tree, node) if what]
    if objections:
        line, what = min(objections, key=lambda objection: objection[0])
        raise RevisionError(f"line {line}: {what}")
    check_contract(tree)


def _imports(tree: SourceTree, node: ast.AST) -> Objections:
    if not isinstance(node, ast.alias):
        return
    match tree.parents[node][0]:
        case ast.Import():
            yield import_objection(node.name)
        case ast.ImportFrom(level=0, module=str(module)) if node.name == "*":
            yield f"imports * from {module}; import the names that are used"
        case ast.ImportFrom(level=0, module=str(module)):
            yield import_objection(module) or objection(f"{module}.{node.name}")
        case _:
            yield "a relative import, but the file stands in no package; name the whole module"


def _imported_names(tree: SourceTree, node: ast.AST) -> Objections:
    parent, field = tree.parents[node]
    if isinstance(parent, ast.Attribute):
        return  # only the whole of a dotted name says what is meant
    context = getattr(node, "ctx", None)
    for path in sorted(tree.paths(node)):
        if isinstance(node, ast.Attribute) and not isinstance(context, ast.Load):
            yield None if path.startswith("torch.backends.") else f"assigns to {path}, which {_PATCHES}"
        elif isinstance(parent, ast.Subscript) and field == "value" and not isinstance(parent.ctx, ast.Load):
            yield f"assigns to an item of {path}, which {_PATCHES}"
        elif path in MODULES and isinstance(context, ast.Load) and not _asks_for_a_name(parent, node):
            yield f"hands the module {path} around; name what is used of it, as in {path}.NAME"
        elif path in LEARNING and not _may_enable_gradients(tree, node):
            yield f"uses {path}: whether gradients are kept is the harness's to say; torch.no_grad is allowed"
        else:
            yield objection(path)


def _asks_for_a_name(parent: ast.AST, node: ast.AST) -> bool:
    match parent:
        case ast.Call(func=ast.Name(id="hasattr"), args=[first, _]):
            return first is node
    return False


def _may_enable_gradients(tree: SourceTree, node: ast.AST) -> bool:
    """In an optimizer's step, for its closure, and in a backward of one's own, to compute a part again."""
    for function in tree.functions_around(node):
        class_ = tree.class_of(function)
        if class_ is None:
            continue
        _, bases = tree.lineage(class_)
        if function.name == "step" and any(base.startswith("torch.optim.") for base in bases):
            return True
        if function.name == "backward" and any(base.endswith(".Function") for base in bases):
            return True
    return False


def _builtins(tree: SourceTree, node: ast.AST) -> Objections:
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if name in REFUSED_BUILTINS:
            imported = any(path.endswith(f".{name}") for path in tree.imports.get(name, ()))
            if not imported and not tree.is_local(node):
                yield f"uses {name}: {REFUSED_BUILTINS[name]}"
        case ast.Name(id="getattr" | "setattr" as name, ctx=ast.Load()):
            parent, field = tree.parents[node]
            fixed = isinstance(parent, ast.Call) and field == "func" and _reaches_a_written_name(name, parent)
            yield None if fixed else f"uses {name} in another way than {_WRITTEN_NAME[name]}"
        case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            yield _attribute_objection(name) or (_TRAINER if name == "trainer" else None)
        case ast.Call(func=ast.Name(id="type"), args=args, keywords=keywords) if len(args) + len(keywords) != 1:
            yield "makes a class by a call of type; write a class statement"


def _reaches_a_written_name(function: str, call: ast.Call) -> bool:
    """Whether the text says what a call of `getattr` or `setattr` acts on, well enough to check it."""
    match call.args:
        case [_, ast.Constant(value=str()), *_]:
            written = True  # what the name is, is checked as if it stood behind a dot
        case [_, ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]), *_]:
            written = beginning[:1].isalpha()  # so it becomes no special name
        case _:
            written = False
    own = bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == "self"
    return written and not call.keywords and (own or function == "getattr")


def _attributes(tree: SourceTree, node: ast.AST) -> Objections:
    match node:
        case ast.Attribute(attr="trainer"):
            parent, _ = tree.parents[node]
            asked = parent.attr if isinstance(parent, ast.Attribute) and isinstance(parent.ctx, ast.Load) else ""
            yield None if asked in TRAINER_READS else _TRAINER
        case ast.Attribute(attr=name):
            yield _attribute_objection(name)
        case ast.MatchClass(kwd_attrs=names):
            for name in names:
                yield _attribute_objection(name)


def _attribute_objection(name: str) -> str | None:
    if name in REFUSED_ATTRIBUTES:
        return f"uses .{name}: {REFUSED_ATTRIBUTES[name]}"
    if _is_special(name) and name not in SPECIAL_READS:
        return f"uses .{name}, which {_SPECIAL}"
    return None


def _is_special(name: str) -> bool:
    return re.fullmatch("__.*__", name) is not None


def _definitions(tree: SourceTree, node: ast.AST) -> Objections:
    match node:
        case ast.Name(id=name, ctx=context) if _is_special(name) and name not in REFUSED_BUILTINS:
            allowed = {"__name__"} if isinstance(context, ast.Load) else SPECIAL_METHODS | SPECIAL_ASSIGNED
            yield None if name in allowed else f"uses {name}, which {_SPECIAL}"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            if _is_special(name) and name not in SPECIAL_METHODS:
                yield f"defines {name}, which {_SPECIAL}"
            if name in REFUSED_METHODS and tree.class_of(node):
                yield f"defines {name}: {BATCHES}"
        case ast.ClassDef(name=name, keywords=keywords):
            if any(keyword.arg in ("metaclass", None) for keyword in keywords):
                yield f"gives class {name} a metaclass: {INTROSPECTION}; write a plain class"
        case ast.Global(names=names):
            for name in sorted(tree.imports.keys() & set(names)):
                yield f"declares the imported name {name} global, to assign to it, which {_PATCHES}"


def _training(tree: SourceTree, node: ast.AST) -> Objections:
    if not isinstance(node, ast.Call) or not (called := _trains(tree, node)):
        return
    around = tree.functions_around(node)
    where = [function.name for function in around if tree.class_of(function) and function.name in NOT_TRAINING]
    if where or not around:
        place = f"in {where[0]}" if where else "outside of any function"
        yield f"calls {called} {place}; training belongs to training_step, where the clock runs: move it there"


def _trains(tree: SourceTree, call: ast.Call) -> str | None:
    """The name of what is called, where that computes gradients or takes an optimizer's step."""
    for path in tree.paths(call.func) & _GRADIENTS:
        return path
    match call.func:
        case ast.Attribute(attr="backward" | "manual_backward" as name):
            return name
        case ast.Attribute(attr="step", value=ast.Name(id=owner) | ast.Attribute(attr=owner)) if "opt" in owner:
            return "step"
        case ast.Attribute(attr="step") if not call.args and not call.keywords:
            return "step"  # a recurrent cell's takes arguments
    return None


_RULES = (_imports, _imported_names, _builtins, _attributes, _definitions, _training)
