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
            return _of_method(owner, method, args)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _called(name, args)
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


def _called(name: str, args: list[ast.expr]) -> ast.expr | None:
    match name, args:
        case "typing.cast", [_, value]:
            return value
        case "zip", [one, other]:
            return _zipped(one, other)
        case "tuple", []:
            return ast.Tuple([], ast.Load())
        case "list", []:
            return ast.List([], ast.Load())
        case "dict", []:
            return ast.Dict([], [])
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


def _of_method(owner: ast.expr, method: str, args: list[ast.expr]) -> ast.expr | None:
    match owner, method, args:
        case ast.Constant(value=str(text)), "split", []:
            return _texts(text.split())
        case ast.Constant(value=str(text)), "split", [ast.Constant(value=str(separator))]:
            return _texts(text.split(separator))
        case ast.Dict(keys=keys, values=values), "items", [] if None not in keys:
            pairs = [ast.Tuple([k, v], ast.Load()) for k, v in zip(keys, values, strict=True) if k]
            return ast.List(list[ast.expr](pairs), ast.Load())
    return None


def _texts(words: list[str]) -> ast.expr:
    return ast.List([ast.Constant(word) for word in words], ast.Load())


def _zipped(one: ast.expr, other: ast.expr) -> ast.expr | None:
    if not isinstance(one, _Sequence) or not isinstance(other, _Sequence):
        return None
    pairs = zip(one.elts, other.elts, strict=False)
    return ast.List([ast.Tuple([*pair], ast.Load()) for pair in pairs], ast.Load())
