"""How much of a module is documented, by kind of object, and what is not."""

import ast
import tokenize

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def execute(path: str) -> dict[str, float | list[str]]:
    """Of the module, its public classes and functions: how many there are, the share (0 to 1) that
    has a docstring, that share of the classes alone, and the names of those that have none, with
    their lines.
    """
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    nodes = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and is_public(node)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    missing = [node for node in nodes if ast.get_docstring(node) is None]
    return {
        "count": len(nodes),
        "coverage": 1 - len(missing) / len(nodes),
        "classes": 1 - sum(node in missing for node in classes) / len(classes),
        "missing": [label_of(node) for node in missing],
    }


def is_public(node: ast.AST) -> bool:
    return not getattr(node, "name", "").startswith("_")


def label_of(node: ast.AST) -> str:
    return f"{getattr(node, 'lineno', 1)}:{getattr(node, 'name', '(module)')}"
