"""Tells whether two texts of `train.py` are the same program, so that no budget is spent on a rewording."""

from __future__ import annotations

import ast
import functools
import hashlib

from autoresearch.static_check.source_tree import SourceTree


@functools.lru_cache(maxsize=1_000)  # 50 ms a text, and each new one is compared with all of a study
def fingerprint(source: str) -> str:
    """The sha256 of a file's syntax tree, in which neither layout nor comments nor docstrings stand.

    Names, the order of statements and the values of numbers count, how a number or a text is spelt does not. Python's
    versions draw the tree differently: fingerprints are for comparing within one process, not for keeping.

    Raises:
        RevisionError: The text is no valid Python, or nested too deeply.
    """
    tree = _Bare().visit(SourceTree(source).module)
    return hashlib.sha256(ast.dump(tree).encode("utf-8", "backslashreplace")).hexdigest()


class _Bare(ast.NodeTransformer):
    """Takes out what says nothing to Python."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Drop a text that stands by itself: a docstring, or a remark in the manner of one."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Forget the `u` of a text."""
        node.kind = None
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Leave no body empty: one of nothing but docstring says `pass`."""
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node
