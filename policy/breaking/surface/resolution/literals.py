"""What literals hold: their items, and whether a condition of them is true."""

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


def truth_of(node: ast.expr) -> bool | None:
    """Return whether a condition of literals holds; None for any other one."""
    match node:
        case ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            truth = truth_of(operand)
            return None if truth is None else not truth
        case ast.Compare(
            left=ast.Constant(value=left), ops=[ast.Eq()], comparators=[ast.Constant(value=right)]
        ):
            return bool(left == right)
        case ast.Compare(
            left=ast.Constant(value=left),
            ops=[ast.NotEq()],
            comparators=[ast.Constant(value=right)],
        ):
            return bool(left != right)
    return None
