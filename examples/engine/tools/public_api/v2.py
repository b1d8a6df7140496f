"""What a module offers to others, by an index of its names."""

import ast
import tokenize


class Index:
    """Names of a module by kind."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: dict[str, list[str]] = {"classes": [], "functions": [], "constants": []}
        for node in tree.body:
            self.add(node)

    def add(self, node: ast.stmt) -> None:
        if isinstance(node, ast.ClassDef):
            self.names["classes"].append(node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.names["functions"].append(f"{node.name}({ast.unparse(node.args)})")
        elif isinstance(node, ast.Assign):
            self.names["constants"] += [target.id for target in node.targets]  # type: ignore

    def public(self) -> dict[str, list[str]]:
        return {kind: [n for n in found if n[0] != "_"] for kind, found in self.names.items()}


def execute(path: str) -> dict[str, list[str]]:
    """Public classes, functions (with their arguments) and assigned names, in order of the file."""
    with tokenize.open(path) as source:
        return Index(ast.parse(source.read())).public()
