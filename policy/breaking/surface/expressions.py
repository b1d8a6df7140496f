"""Expressions as text: what a person is shown, and what two of them are compared by."""

import ast
import zlib
from collections.abc import Mapping
from typing import Final

Imports = Mapping[str, str]

_PLAIN: Final = (bool, int, str, type(None))


def text_of(node: ast.expr) -> str:
    """The expression in canonical Python: the same for all spellings of one expression.

    One too deep, or with a number too long, to be written out is told by its size and a checksum.
    """
    if isinstance(node, ast.Name):
        return node.id
    try:
        if isinstance(node, ast.Constant) and isinstance(node.value, _PLAIN):
            return repr(node.value)  # the same, and far faster
        return ast.unparse(node)
    except (RecursionError, ValueError):
        return _summary(node)


def _summary(node: ast.expr) -> str:
    size = checksum = 0
    for each in ast.walk(node):
        size += 1
        parts = [type(each).__name__]
        for value in vars(each).values():
            if isinstance(value, list):
                parts.append(str(len(value)))
            elif not isinstance(value, ast.AST):
                parts.append(hex(value) if isinstance(value, int) else repr(value))
        for part in parts:
            checksum = zlib.crc32(part.encode(errors="backslashreplace"), checksum)
    return f"<an expression of {size} parts, {checksum:08x}>"


def path_of(node: ast.expr, imports: Imports) -> str | None:
    """The dotted name that the expression is, its root replaced by what was imported under that
    name; None for any other expression.
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(imports.get(node.id, node.id))
    return ".".join(reversed(parts))


def decorator_text(node: ast.expr, imports: Imports) -> str:
    """A decorator by the full name of what it calls, with its arguments."""
    if not isinstance(node, ast.Call):
        return path_of(node, imports) or text_of(node)
    name = path_of(node.func, imports) or text_of(node.func)
    arguments = [text_of(each) for each in node.args]
    arguments += [f"{each.arg or '**'}={text_of(each.value)}" for each in node.keywords]
    return f"{name}({', '.join(arguments)})"
