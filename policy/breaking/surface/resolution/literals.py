"""The items of literals."""

import ast
from typing import Final

_MOST_CHARACTERS: Final = 1_000


def items_of(node: ast.expr) -> list[ast.expr] | None:
    """Return what a loop over a literal gives; None if it is no literal."""
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return None if any(isinstance(each, ast.Starred) for each in items) else items
        case ast.Constant(value=str(text)) if len(text) <= _MOST_CHARACTERS:
            return [ast.Constant(character) for character in text]
        case ast.Dict(keys=keys):
            known = [each for each in keys if each is not None]
            return known if len(known) == len(keys) else None
    return None
