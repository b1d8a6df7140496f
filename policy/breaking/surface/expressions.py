"""Expressions as text, to show them to people and to compare them."""

import ast
import zlib
from collections.abc import Mapping
from typing import Final

#: The dotted name that each imported name stands for.
Imports = Mapping[str, str]

_SIMPLE: Final = (bool, int, str, type(None))


def expression_text(node: ast.expr) -> str:
    """Return the expression in canonical Python: the same text for all spellings of it.

    If the expression is too deep or has a number too long to be written out, the text is its size
    and a checksum.
    """
    if isinstance(node, ast.Name):
        return node.id
    try:
        if isinstance(node, ast.Constant) and isinstance(node.value, _SIMPLE):
            return repr(node.value)  # the same text as from unparse, and far faster
        return ast.unparse(node)
    except (RecursionError, ValueError):
        return _size_and_checksum(node)


def _size_and_checksum(node: ast.expr) -> str:
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


def dotted_name(node: ast.expr, imports: Imports) -> str | None:
    """Return the full dotted name if the expression is a name or a chain of attributes.

    The first part is replaced by what was imported under that name. None for any other expression.
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
    """Return a decorator as its full dotted name and its arguments."""
    if not isinstance(node, ast.Call):
        return dotted_name(node, imports) or expression_text(node)
    name = dotted_name(node.func, imports) or expression_text(node.func)
    arguments = [expression_text(each) for each in node.args]
    arguments += [f"{each.arg or '**'}={expression_text(each.value)}" for each in node.keywords]
    return f"{name}({', '.join(arguments)})"
