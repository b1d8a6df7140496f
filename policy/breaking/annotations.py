"""What annotations mean, whatever way they are written."""

import ast
from collections.abc import Iterator
from typing import Final

from policy.breaking.surface.expressions import Imports, path_of, text_of

_SAME_IN_COLLECTIONS: Final = (
    *("AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable", "Callable", "Collection"),
    *("Container", "Coroutine", "Generator", "Hashable", "ItemsView", "Iterable", "Iterator"),
    *("KeysView", "Mapping", "MutableMapping", "MutableSequence", "MutableSet", "Reversible"),
    *("Sequence", "Sized", "ValuesView"),
)
#: Today's name for an older one.
_TODAY: Final = {
    **{f"typing.{name}": f"collections.abc.{name}" for name in _SAME_IN_COLLECTIONS},
    **{
        f"typing.{name}": name.lower()
        for name in ("Dict", "FrozenSet", "List", "Set", "Tuple", "Type")
    },
    "typing.Text": "str",
}


def same_annotation(old: ast.expr, new: ast.expr, before: Imports, after: Imports) -> bool:
    """Whether both say the same: ``Optional[X]`` is ``X | None`` and ``"X | None"``, ``List`` is
    ``list``, and it does not matter how a name was imported.
    """
    try:
        return _meaning(old, before) == _meaning(new, after)
    except RecursionError:
        return text_of(old) == text_of(new)


def _meaning(node: ast.expr, imports: Imports) -> str:
    meanings = {_part(each, imports) for each in _alternatives(node, imports)}
    return " | ".join(sorted(meanings))


def _alternatives(node: ast.expr, imports: Imports) -> Iterator[ast.expr]:
    """The members of a union, without unions in it; any other annotation is its own only one."""
    match node:
        case ast.Constant(value=str(text)) if (quoted := _parsed(text)) is not None:
            yield from _alternatives(quoted, imports)
        case ast.BinOp(op=ast.BitOr()):
            yield from _alternatives(node.left, imports)
            yield from _alternatives(node.right, imports)
        case ast.Subscript() if _name(node.value, imports) in ("typing.Optional", "typing.Union"):
            if _name(node.value, imports) == "typing.Optional":
                yield ast.Constant(None)
            for argument in _arguments(node):
                yield from _alternatives(argument, imports)
        case _:
            yield node


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return None


def _part(node: ast.expr, imports: Imports) -> str:
    match node:
        case ast.Subscript():
            name = _name(node.value, imports)
            if name.endswith("Literal"):
                return text_of(node)
            if name.endswith("Annotated"):
                return _meaning(_arguments(node)[0], imports)
            return f"{name}[{_listed(_arguments(node), imports)}]"
        case ast.List():
            return f"[{_listed(node.elts, imports)}]"
    return _name(node, imports)


def _listed(nodes: list[ast.expr], imports: Imports) -> str:
    return ", ".join(_meaning(each, imports) for each in nodes)


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    if isinstance(node.slice, ast.Tuple) and node.slice.elts:
        return node.slice.elts
    return [node.slice]


def _name(node: ast.expr, imports: Imports) -> str:
    path = path_of(node, imports)
    return text_of(node) if path is None else _TODAY.get(path, path)
