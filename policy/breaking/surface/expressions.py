"""Expressions as text, to show them to people and to compare them."""

import ast
import zlib
from typing import Final

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
