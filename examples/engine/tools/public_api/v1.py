"""What a module offers to others."""

import ast
import tokenize


def execute(path: str) -> dict[str, list[str]]:
    """Public classes, functions (with their arguments) and constants, in order of the file."""
    with tokenize.open(path) as source:
        body = ast.parse(source.read()).body
    return {
        "classes": [n.name for n in body if isinstance(n, ast.ClassDef) and n.name[0] != "_"],
        "functions": [
            f"{n.name}({ast.unparse(n.args)})"
            for n in body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name[0] != "_"
        ],
        "constants": [
            target.id
            for n in body
            if isinstance(n, ast.Assign)
            for target in n.targets
            if isinstance(target, ast.Name) and target.id.isupper() and target.id[0] != "_"
        ],
    }
