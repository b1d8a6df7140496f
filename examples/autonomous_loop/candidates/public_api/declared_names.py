"""What a module offers to others, by its own word: the names in ``__all__``."""

import ast
import tokenize


def execute(path: str) -> dict[str, list[str]]:
    """Public classes, functions (with their arguments) and constants, in order of the file."""
    with tokenize.open(path) as source:
        body = ast.parse(source.read()).body
    assigned = {
        target.id: n.value
        for n in body
        if isinstance(n, ast.Assign)
        for target in n.targets
        if isinstance(target, ast.Name)
    }
    public = {n.value for n in ast.walk(assigned["__all__"]) if isinstance(n, ast.Constant)}
    return {
        "classes": [n.name for n in body if isinstance(n, ast.ClassDef) and n.name in public],
        "functions": [
            f"{n.name}({ast.unparse(n.args)})"
            for n in body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name in public
        ],
        "constants": [name for name in assigned if name in public],
    }
