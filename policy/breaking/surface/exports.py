"""The reading of ``__all__``."""

import ast

from policy.breaking.surface.resolution.conditions import Conditions
from policy.breaking.surface.statements import scope_statements


def exports_of(body: list[ast.stmt], conditions: Conditions) -> list[str] | None:
    """Return the names in ``__all__``, in order; None if there is none or it cannot be read."""
    exports: list[str] | None = None
    for statement, *_, is_dead in scope_statements(body, conditions):
        match statement:
            case _ if is_dead:
                continue
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                exports = _names(value)
            case ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value):
                exports = _names(value)
            case ast.AugAssign(target=ast.Name(id="__all__"), value=value) | ast.Expr(
                ast.Call(ast.Attribute(ast.Name("__all__"), "extend"), [value])
            ):
                exports = _joined(exports, _names(value))
            case ast.Expr(ast.Call(ast.Attribute(ast.Name("__all__"), "append"), [value])):
                exports = _joined(exports, _names(ast.List([value], ast.Load())))
    return exports


def _joined(names: list[str] | None, more: list[str] | None) -> list[str] | None:
    return None if names is None or more is None else names + more


def _names(value: ast.expr) -> list[str] | None:
    """Return the names in a list or in a sum of lists; None for any other expression."""
    texts: list[str] = []
    waiting = [value]
    while waiting:
        match waiting.pop():
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                waiting += (right, left)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                waiting += reversed(parts)
            case ast.Constant(value=str(text)):
                texts.append(text)
            case _:
                return None
    return [text for text in texts if text.isidentifier()]
