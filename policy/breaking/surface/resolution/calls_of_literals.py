"""Calls of built-in functions and of methods of texts and dicts, with literals as arguments."""

import ast
from collections.abc import Callable
from typing import Final

from policy.breaking.surface.resolution.literals import items_of

_MOST_NUMBERS: Final = 100
_MOST_CHARACTERS: Final = 10_000
_OF_TEXTS: Final[dict[str, Callable[[str], str]]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "capitalize": str.capitalize,
    "casefold": str.casefold,
    "swapcase": str.swapcase,
    "strip": str.strip,
}


def of_builtin(name: str, args: list[ast.expr]) -> ast.expr | None:
    """Return what a function of Python gives for these arguments; None if it is not known here."""
    match name, args:
        case "typing.cast", [_, value]:
            return value
        case "zip", [one, other]:
            return _zipped(one, other)
        case "enumerate", [whole]:
            return _numbered(whole, 0)
        case "enumerate", [whole, ast.Constant(value=int(first))]:
            return _numbered(whole, first)
        case "range", _:
            return _range(args)
        case (("list" | "tuple" | "dict" | "dict.fromkeys"), _):
            return _collection(name, args)
    return None


def _collection(name: str, args: list[ast.expr]) -> ast.expr | None:
    items = items_of(args[0]) if args else []
    match name, args:
        case "list", ([] | [_]) if items is not None:
            return ast.List(items, ast.Load())
        case "tuple", ([] | [_]) if items is not None:
            return ast.Tuple(items, ast.Load())
        case "dict", []:
            return ast.Dict([], [])
        case "dict", [ast.Dict() as whole]:
            return whole
        case "dict", [_] if items is not None:
            return _dict_of(items)
        case "dict.fromkeys", [_, value] if items is not None:
            return ast.Dict([*items], [value] * len(items))
    return None


def _numbered(whole: ast.expr, first: int) -> ast.expr | None:
    items = items_of(whole)
    if items is None:
        return None
    pairs = [ast.Tuple([ast.Constant(n), item], ast.Load()) for n, item in enumerate(items, first)]
    return ast.List(list[ast.expr](pairs), ast.Load())


def _range(args: list[ast.expr]) -> ast.expr | None:
    given = [each.value for each in args if isinstance(each, ast.Constant)]
    bounds = [each for each in given if isinstance(each, int)]
    if not 1 <= len(args) <= 3 or len(bounds) != len(args):
        return None
    numbers = range(*bounds)
    if len(numbers) > _MOST_NUMBERS:
        return None
    return ast.Tuple([ast.Constant(number) for number in numbers], ast.Load())


def _dict_of(pairs: list[ast.expr]) -> ast.expr | None:
    keys: list[ast.expr | None] = []
    values: list[ast.expr] = []
    for each in pairs:
        items = items_of(each)
        if items is None or len(items) != 2:
            return None
        keys.append(items[0])
        values.append(items[1])
    return ast.Dict(keys, values)


def of_method(owner: ast.expr, method: str, args: list[ast.expr]) -> ast.expr | None:
    """Return what a method of a literal gives; None if it is not known here."""
    match owner, method, args:
        case ast.Constant(value=str(text)), "split", []:
            return _texts(text.split())
        case ast.Constant(value=str(text)), "split", [ast.Constant(value=str(separator))]:
            return _texts(text.split(separator))
        case ast.Constant(value=str(text)), _, [] if method in _OF_TEXTS:
            return ast.Constant(_OF_TEXTS[method](text))
        case ast.Constant(value=str(text)), "replace", [
            ast.Constant(value=str(old)),
            ast.Constant(value=str(new)),
        ]:
            is_short = len(text) * (len(new) + 1) <= _MOST_CHARACTERS
            return ast.Constant(text.replace(old, new)) if is_short else None
        case ast.Dict(keys=keys, values=values), "items", [] if None not in keys:
            pairs = [ast.Tuple([k, v], ast.Load()) for k, v in zip(keys, values, strict=True) if k]
            return ast.List(list[ast.expr](pairs), ast.Load())
    return None


def _texts(words: list[str]) -> ast.expr:
    return ast.List([ast.Constant(word) for word in words], ast.Load())


def _zipped(one: ast.expr, other: ast.expr) -> ast.expr | None:
    ours, theirs = items_of(one), items_of(other)
    if ours is None or theirs is None:
        return None
    pairs = zip(ours, theirs, strict=False)
    return ast.List([ast.Tuple([*pair], ast.Load()) for pair in pairs], ast.Load())
