"""What a module offers to others."""

import ast
import tokenize
from collections.abc import Iterator


def execute(path: str) -> dict[str, list[str]]:
    """Public classes, functions (with arguments and result) and constants, annotated ones too, in
    order of the file.
    """
    with tokenize.open(path) as source:
        body = ast.parse(source.read()).body
    return {
        "classes": [n.name for n in body if isinstance(n, ast.ClassDef) and n.name[0] != "_"],
        "functions": [
            signature_of(n)
            for n in body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name[0] != "_"
        ],
        "constants": [
            name for n in body for name in names_in(n) if name.isupper() and name[0] != "_"
        ],
    }


def signature_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{function.name}({ast.unparse(function.args)}){result}"


def names_in(statement: ast.stmt) -> Iterator[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    yield from (target.id for target in targets if isinstance(target, ast.Name))
