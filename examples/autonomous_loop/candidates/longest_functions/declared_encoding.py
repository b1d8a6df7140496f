"""The longest functions of a file, in whatever encoding it declares."""

import ast
import tokenize
from typing import Any


def execute(path: str, top: int) -> list[dict[str, Any]]:
    """The ``top`` longest, with name, first line and length in lines; the longest first, and of
    several equally long ones the first in the file.
    """
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    functions: list[dict[str, Any]] = [
        {"name": node.name, "line": node.lineno, "lines": (node.end_lineno or 0) - node.lineno + 1}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(functions, key=lambda found: (-found["lines"], found["line"]))[:top]
