"""Cyclomatic complexity (McCabe) of each function, and how far from the mean each one is."""

import ast
import statistics
import tokenize

BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert)


def execute(path: str, *, at_least: int = 1) -> dict[str, float]:
    """Functions by line and name with their complexity, where it is at least so much; and under
    'spread' the standard deviation.
    """
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    found = {
        f"{node.lineno}:{node.name}": complexity_of(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    high = {name: float(number) for name, number in found.items() if number >= at_least}
    return {**high, "spread": statistics.stdev(high.values())}


def complexity_of(function: ast.AST) -> int:
    """One, and one more for each way that control can take."""
    total = 1
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            total += 1
        elif isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            total += 1 + len(node.ifs)
    return total
