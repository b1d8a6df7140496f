"""The comparison of two annotations by their meaning, whichever way they are written."""

import ast
from collections.abc import Iterator
from typing import Final

from policy.breaking.surface.expressions import Imports, dotted_name, expression_text

_SAME_IN_COLLECTIONS: Final = (
    *("AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable", "Callable", "Collection"),
    *("Container", "Coroutine", "Generator", "Hashable", "ItemsView", "Iterable", "Iterator"),
    *("KeysView", "Mapping", "MutableMapping", "MutableSequence", "MutableSet", "Reversible"),
    *("Sequence", "Sized", "ValuesView"),
)
#: The current name for each deprecated one.
_CURRENT_NAMES: Final = {
    **{f"typing.{name}": f"collections.abc.{name}" for name in _SAME_IN_COLLECTIONS},
    **{
        f"typing.{name}": name.lower()
        for name in ("Dict", "FrozenSet", "List", "Set", "Tuple", "Type")
    },
    "typing.Text": "str",
}


def same_annotation(
    old: ast.expr, new: ast.expr, old_imports: Imports, new_imports: Imports
) -> bool:
    """Return whether both annotations mean the same.

    ``Optional[X]``, ``X | None`` and ``"X | None"`` mean the same, and so do ``List`` and ``list``.
    The order in a union does not matter, nor does the way in which a name was imported.
    """
    try:
        return _meaning(old, old_imports) == _meaning(new, new_imports)
    except RecursionError:
        return expression_text(old) == expression_text(new)


def _meaning(annotation: ast.expr, imports: Imports) -> str:
    """Return a text that is the same for all annotations that mean the same."""
    meanings = {_meaning_without_union(each, imports) for each in _members(annotation, imports)}
    return " | ".join(sorted(meanings))


def _members(annotation: ast.expr, imports: Imports) -> Iterator[ast.expr]:
    """Yield the members of a union, and those of unions in it.

    An annotation that is no union is its own only member.
    """
    match annotation:
        case ast.Constant(value=str(text)) if (quoted := _parsed(text)) is not None:
            yield from _members(quoted, imports)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            yield from _members(left, imports)
            yield from _members(right, imports)
        case ast.Subscript(value=value):
            name = _name(value, imports)
            if name not in ("typing.Optional", "typing.Union"):
                yield annotation
                return
            if name == "typing.Optional":
                yield ast.Constant(None)
            for argument in _arguments(annotation):
                yield from _members(argument, imports)
        case _:
            yield annotation


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return None


def _meaning_without_union(annotation: ast.expr, imports: Imports) -> str:
    match annotation:
        case ast.Subscript(value=value):
            name = _name(value, imports)
            if name.endswith("Literal"):
                return expression_text(annotation)
            if name.endswith("Annotated"):
                return _meaning(_arguments(annotation)[0], imports)
            return f"{name}[{_listed(_arguments(annotation), imports)}]"
        case ast.List(elts=elements):
            return f"[{_listed(elements, imports)}]"
    return _name(annotation, imports)


def _listed(annotations: list[ast.expr], imports: Imports) -> str:
    return ", ".join(_meaning(each, imports) for each in annotations)


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    if isinstance(node.slice, ast.Tuple) and node.slice.elts:
        return node.slice.elts
    return [node.slice]


def _name(node: ast.expr, imports: Imports) -> str:
    name = dotted_name(node, imports)
    return expression_text(node) if name is None else _CURRENT_NAMES.get(name, name)
