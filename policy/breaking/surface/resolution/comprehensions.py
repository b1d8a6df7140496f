"""Comprehensions over literals, such as ``[name.lower() for name in ("A", "B")]``, written out."""

import ast
from collections.abc import Callable
from copy import deepcopy
from typing import Final

from policy.breaking.surface.resolution.literals import items_of

Resolve = Callable[[ast.expr], ast.expr]
"""Gives the expression that has the same value and is easier to read."""
IsTrue = Callable[[ast.expr], bool | None]
"""Says whether a condition holds; None if that is not known."""
Comprehension = ast.ListComp | ast.GeneratorExp | ast.DictComp

BINDING: Final = (
    *(ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr),
)
"""Expressions that bind names: what these stand for inside is not what they are outside."""
_MOST_ITEMS: Final = 100
_MOST_NODES: Final = 50
"""Of the element and the conditions, which are copied for each item."""


def written_out(node: Comprehension, resolve: Resolve, is_true: IsTrue) -> ast.expr | None:
    """Return the list or dict that a comprehension makes; None if it cannot be read."""
    if len(node.generators) != 1 or node.generators[0].is_async:
        return None
    [loop] = node.generators
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    inner = [each for part in (*parts, *loop.ifs) for each in ast.walk(part)]
    if len(inner) > _MOST_NODES or any(isinstance(each, BINDING) for each in inner):
        return None
    made: list[list[ast.expr]] = []
    items = items_of(resolve(loop.iter))
    if items is None or len(items) > _MOST_ITEMS:
        return None
    for item in items:
        bound = _bound(loop.target, item)
        if bound is None:
            return None
        truths = [is_true(_with(bound, test)) for test in loop.ifs]
        if None in truths:
            return None
        if all(truths):
            made.append([resolve(_with(bound, part)) for part in parts])
    if isinstance(node, ast.DictComp):
        return ast.Dict([key for key, _ in made], [value for _, value in made])
    return ast.List([element for [element] in made], ast.Load())


def _bound(target: ast.expr, item: ast.expr) -> dict[str, ast.expr] | None:
    """Return what the names of a loop stand for; None if that cannot be read."""
    match target:
        case ast.Name(id=name):
            return {name: item}
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            items = items_of(item)
            if items is None or len(items) != len(targets):
                return None
            found: dict[str, ast.expr] = {}
            for part, given in zip(targets, items, strict=True):
                bound = _bound(part, given)
                if bound is None:
                    return None
                found |= bound
            return found
    return None


def _with(bound: dict[str, ast.expr], node: ast.expr) -> ast.expr:
    """Return a copy of the expression with values in the place of names."""
    changed: ast.expr = _Substitution(bound).visit(deepcopy(node))
    return changed


class _Substitution(ast.NodeTransformer):
    def __init__(self, bound: dict[str, ast.expr]) -> None:
        self._bound = bound

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._bound.get(node.id, node)
