"""Which modules a Python file imports, and how often, by package."""

import ast
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator


def execute(path: str, *, origins: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """How often each module of these origins ('stdlib', 'other') is imported."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    counts: dict[str, Counter[str]] = {origin: Counter() for origin in origins}
    for name in imported(tree):
        top = name.partition(".")[0]
        origin = "stdlib" if top in sys.stdlib_module_names else "other"
        if origin in counts:
            counts[origin][top] += 1
    return {origin: dict(found) for origin, found in counts.items()}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
