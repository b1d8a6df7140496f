"""Cyclomatic complexity (McCabe) of each function, the cases of `match` included."""

import ast
import tokenize

WEIGHTS: dict[type[ast.AST], int] = dict.fromkeys(
    (
        *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert),
        *(ast.comprehension, ast.match_case),
    ),
    1,
)


def execute(path: str, *, at_least: int = 1) -> dict[str, int]:
    """Functions by line and name with their complexity, where it is at least so much."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    found = {
        f"{node.lineno}:{node.name}": 1 + branches_in(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return {name: number for name, number in found.items() if number >= at_least}


def branches_in(function: ast.AST) -> int:
    """One for each way that control can take besides the first."""
    total = 0
    for node in ast.walk(function):
        total += WEIGHTS.get(type(node), 0)
        if isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            total += len(node.ifs)
    return total
