"""How much of a module is documented."""

import ast
import tokenize

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def execute(path: str) -> dict[str, float]:
    """Of the module, its public classes and functions: how many there are, and the share (0 to 1)
    that has a docstring.
    """
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    nodes = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and is_public(node)]
    documented = sum(ast.get_docstring(node) is not None for node in nodes)
    return {"count": len(nodes), "coverage": documented / len(nodes)}


def is_public(node: ast.AST) -> bool:
    return not getattr(node, "name", "").startswith("_")
