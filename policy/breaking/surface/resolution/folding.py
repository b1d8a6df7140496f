"""The computation of expressions of literals, such as ``5 * 60`` or ``"a b".split()``.

Each function returns the expression that has the same value and is easier to read, or None.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

_OPERATORS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_POWERS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_MAX_EXPONENT: Final = 64
_MAX_NUMBER: Final = 2**256
_MAX_ITEMS: Final = 1000
_Sequence = ast.List | ast.Tuple


def folded(node: ast.expr) -> ast.expr:
    """Return the value of an expression whose parts are literals; any other expression as it is."""
    try:
        found = _folded(node)
    except (ArithmeticError, TypeError, ValueError):
        return node
    return node if found is None else ast.copy_location(found, node)


def _folded(node: ast.expr) -> ast.expr | None:
    match node:
        case ast.BinOp(left=ast.Constant(value=left), op=op, right=ast.Constant(value=right)):
            return _computed(left, op, right)
        case ast.BinOp(left=ast.List(elts=left), op=ast.Add(), right=ast.List(elts=right)):
            return ast.List([*left, *right], ast.Load())
        case ast.BinOp(left=ast.Tuple(elts=left), op=ast.Add(), right=ast.Tuple(elts=right)):
            return ast.Tuple([*left, *right], ast.Load())
        case ast.Subscript(value=ast.Dict(keys=keys, values=values), slice=ast.Constant() as key):
            found = [v for k, v in zip(keys, values, strict=True) if _is_same(k, key)]
            return found[-1] if found and None not in keys else None
        case ast.Subscript(value=ast.List(elts=parts) | ast.Tuple(elts=parts), slice=index):
            return _item(parts, index)
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=args, keywords=[]):
            return _of_method(owner, method, args)
        case ast.Call(func=ast.Name(id="zip"), args=[one, other]):
            return _zipped(one, other)
    return None


def _computed(left: object, op: ast.operator, right: object) -> ast.expr | None:
    is_text = isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add)
    if is_text:
        return ast.Constant(left + right)  # type: ignore[operator]
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return None
    if isinstance(left, int) and abs(left) > _MAX_NUMBER:
        return None
    if isinstance(right, int) and abs(right) > _MAX_NUMBER:
        return None
    compute = _OPERATORS.get(type(op))
    if compute is None and isinstance(right, int) and 0 <= right <= _MAX_EXPONENT:
        compute = _POWERS.get(type(op))
    return ast.Constant(compute(left, right)) if compute else None


def _is_same(one: ast.expr | None, other: ast.Constant) -> bool:
    is_constant = isinstance(one, ast.Constant) and type(one.value) is type(other.value)
    return is_constant and one.value == other.value  # type: ignore[union-attr]


def _item(parts: list[ast.expr], index: ast.expr) -> ast.expr | None:
    match index:
        case ast.Constant(value=int(position)) if -len(parts) <= position < len(parts):
            is_starred = any(isinstance(each, ast.Starred) for each in parts)
            return None if is_starred else parts[position]
    return None


def _of_method(owner: ast.expr, method: str, args: list[ast.expr]) -> ast.expr | None:
    match owner, method, args:
        case ast.Constant(value=str(text)), "split", [] | [ast.Constant(value=str())]:
            words = text.split(*(each.value for each in args if isinstance(each, ast.Constant)))
            return ast.List([ast.Constant(word) for word in words], ast.Load())
        case ast.Dict(keys=keys, values=values), "items", [] if None not in keys:
            pairs = [ast.Tuple([k, v], ast.Load()) for k, v in zip(keys, values, strict=True) if k]
            return ast.List(list[ast.expr](pairs), ast.Load())
    return None


def _zipped(one: ast.expr, other: ast.expr) -> ast.expr | None:
    if not isinstance(one, _Sequence) or not isinstance(other, _Sequence):
        return None
    pairs = zip(one.elts, other.elts, strict=False)
    return ast.List([ast.Tuple([*pair], ast.Load()) for pair in pairs], ast.Load())
