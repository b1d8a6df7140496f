"""How much of a module is documented, and what it says of itself."""

import ast
import tokenize

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def execute(path: str) -> dict[str, float | str]:
    """As before, with the module's summary: the first line of its docstring."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    nodes = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and is_public(node)]
    documented = sum(ast.get_docstring(node) is not None for node in nodes)
    summary = (ast.get_docstring(tree) or "").splitlines()[0]
    return {"count": len(nodes), "coverage": documented / len(nodes), "summary": summary}


def is_public(node: ast.AST) -> bool:
    return not getattr(node, "name", "").startswith("_")
