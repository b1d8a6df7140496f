"""Access to the source of the product by its syntax tree, without running it."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = (
    "schemas",
    "signatures",
    "policy",
    "streams",
    "agents",
    "db",
    "rollguard",
    "console",
)


class SourceFile(NamedTuple):
    """A file of the product: its path from the root of the repository, and its syntax tree."""

    path: str
    tree: ast.Module


@cache
def source_files() -> tuple[SourceFile, ...]:
    """Return every Python file of the server, in the order of the paths."""
    return tuple(file for room in ROOMS for file in _files_in(ROOT / room))


@cache
def registry_files() -> tuple[SourceFile, ...]:
    """Return the files of the registry, which the server has from the client."""
    return tuple(_files_in(ROOT / "clients/python/rollguard_client/registry"))


def _files_in(folder: Path) -> Iterator[SourceFile]:
    for path in sorted(folder.rglob("*.py")):
        yield SourceFile(str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8")))


@cache
def calls(tree: ast.AST) -> tuple[ast.Call, ...]:
    """Return every call in the tree."""
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Call))


def text_of(node: ast.expr | None) -> str | None:
    """Return the text of a string literal; None if the node is something else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the text below each annotated attribute of a class and of its bases, by name."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] in ROOMS:
            found |= _docstrings_in(base)
    return found


def _docstrings_in(cls: type) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and (text := text_of(below.value)) is not None
        ):
            found[field.target.id] = text
    return found
