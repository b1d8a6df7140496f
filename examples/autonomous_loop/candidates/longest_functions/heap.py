"""The longest functions of a file, by a heap instead of sorting all."""

import ast
import heapq
import tokenize
from typing import Any


def execute(path: str, top: int) -> list[dict[str, Any]]:
    """The ``top`` longest, with name, first line and length in lines; the longest first."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    heap: list[Any] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            function = {"name": node.name, "line": node.lineno, "lines": lines}
            heapq.heappush(heap, (-lines, function))
    return [heapq.heappop(heap)[1] for _ in range(min(top, len(heap)))]
