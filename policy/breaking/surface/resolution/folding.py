"""The computation of expressions of literals, such as ``5 * 60`` or ``"a b".split()``.

Each function returns the expression that has the same value and is easier to read, or None.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

from policy.breaking.surface.resolution.calls_of_literals import of_builtin, of_method

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


def folded(node: ast.expr) -> ast.expr:
    """Return the value of an expression whose parts are literals; any other expression as it is."""
    try:
        found = _folded(node)
    except (ArithmeticError, TypeError, ValueError):
        return node
    return node if found is None else ast.copy_location(found, node)


def _folded(node: ast.expr) -> ast.expr | None:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return _of_operator(left, op, right)
        case ast.JoinedStr(values=parts):
            return _joined(parts)
        case ast.BoolOp(op=op, values=[ast.Constant(value=first) as one, *others]) if others:
            rest = others[0] if len(others) == 1 else ast.BoolOp(op, others)
            return one if bool(first) == isinstance(op, ast.Or) else folded(rest)
        case ast.List(elts=parts) if any(isinstance(each, ast.Starred) for each in parts):
            return ast.List(_unpacked(parts), ast.Load())
        case ast.Tuple(elts=parts) if any(isinstance(each, ast.Starred) for each in parts):
            return ast.Tuple(_unpacked(parts), ast.Load())
        case ast.Subscript(value=whole, slice=index):
            return _item(whole, index)
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=args, keywords=[]):
            return of_method(owner, method, args)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return of_builtin(name, args)
    return None


def _of_operator(left: ast.expr, op: ast.operator, right: ast.expr) -> ast.expr | None:
    match left, op, right:
        case ast.Constant(value=one), _, ast.Constant(value=other):
            return _computed(one, op, other)
        case ast.List(elts=ours), ast.Add(), ast.List(elts=theirs):
            return ast.List([*ours, *theirs], ast.Load())
        case ast.Tuple(elts=ours), ast.Add(), ast.Tuple(elts=theirs):
            return ast.Tuple([*ours, *theirs], ast.Load())
        case ast.Dict(), ast.BitOr(), ast.Dict():
            return ast.Dict([*left.keys, *right.keys], [*left.values, *right.values])
    return None


def _unpacked(parts: list[ast.expr]) -> list[ast.expr]:
    """Return the items, with those of each ``*(…)``."""
    items: list[ast.expr] = []
    for each in parts:
        match each:
            case ast.Starred(value=ast.List(elts=inner) | ast.Tuple(elts=inner)):
                items += inner
            case _:
                items.append(each)
    return items


def _joined(parts: list[ast.expr]) -> ast.expr | None:
    """Return the text of an f-string whose values are texts or whole numbers as they are."""
    found = []
    for each in parts:
        match each:
            case ast.Constant(value=str(text)):
                found.append(text)
            case ast.FormattedValue(
                value=ast.Constant(value=str() | int() as value), conversion=-1, format_spec=None
            ):
                found.append(str(value))
            case _:
                return None
    return ast.Constant("".join(found))


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


def _item(whole: ast.expr, index: ast.expr) -> ast.expr | None:
    match whole, index:
        case ast.Dict(keys=keys, values=values), ast.Constant() if None not in keys:
            pairs = zip(keys, values, strict=True)
            found = [value for key, value in pairs if _is_same(key, index)]
            return found[-1] if found else None
        case ast.List(elts=parts) | ast.Tuple(elts=parts), ast.Constant(value=int(position)):
            is_starred = any(isinstance(each, ast.Starred) for each in parts)
            is_inside = -len(parts) <= position < len(parts)
            return parts[position] if is_inside and not is_starred else None
    return None


def _is_same(one: ast.expr | None, other: ast.Constant) -> bool:
    is_constant = isinstance(one, ast.Constant) and type(one.value) is type(other.value)
    return is_constant and one.value == other.value  # type: ignore[union-attr]
