"""Which modules a Python file imports, those of its own package included."""

import ast
import sys
import tokenize
from collections.abc import Iterator


def execute(path: str, *, stdlib: bool = True) -> dict[str, list[str]]:
    """Top-level names of imported modules, sorted, without the standard library's if so asked; and
    what is imported relatively, with its dots.
    """
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    modules = {name.partition(".")[0] for name in imported(tree)}
    if not stdlib:
        modules -= sys.stdlib_module_names
    return {"modules": sorted(modules), "relative": sorted(set(relative(tree)))}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def relative(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            dots = "." * node.level
            if node.module:
                yield dots + node.module
            else:
                yield from (dots + alias.name for alias in node.names)
