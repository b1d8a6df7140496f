"""The longest functions of a file, in whatever encoding it declares."""

import ast
import tokenize


def execute(path: str, top: int) -> list[dict[str, object]]:
    """The ``top`` longest, with name, first line and length in lines; the longest first."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    functions = [
        {"name": node.name, "line": node.lineno, "lines": (node.end_lineno or 0) - node.lineno + 1}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(functions, key=lambda function: function["lines"], reverse=True)[:top]  # type: ignore
