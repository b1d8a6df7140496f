"""Complexity of each function, where nesting counts: what is deep inside is harder to read."""

import ast
import tokenize

WEIGHTS: dict[type[ast.AST], int] = {
    ast.If: 1,
    ast.For: 1,
    ast.AsyncFor: 1,
    ast.While: 2,
    ast.Try: 1,
    ast.With: 0,
    ast.AsyncWith: 0,
    ast.ClassDef: 1,
    ast.FunctionDef: 1,
    ast.AsyncFunctionDef: 1,
}


def execute(path: str, *, at_least: int = 1) -> dict[str, int]:
    """Functions by line and name with their complexity, where it is at least so much."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    found = {
        f"{node.lineno}:{node.name}": weight_of(node, 0)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return {name: number for name, number in found.items() if number >= at_least}


def weight_of(node: ast.AST, depth: int) -> int:
    """The node's weight and that of all in it, each times the depth at which it stands."""
    total = 1
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "body") and isinstance(child, ast.stmt):
            total += WEIGHTS.get(type(child), 1) * (depth + 1) + weight_of(child, depth + 1)
    return total
