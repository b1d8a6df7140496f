"""The comparison of two annotations by their meaning, whichever way they are written."""

import ast
from collections.abc import Iterator
from typing import Final

from policy.breaking.surface.elements import Module, Value
from policy.breaking.surface.expressions import expression_text
from policy.breaking.surface.resolution.names import Names

_MAX_ALIASES: Final = 200
#: Names of the same type that are no other names of one class.
_SAME: Final = {"typing.Never": "typing.NoReturn", "types.NoneType": "None", "NoneType": "None"}


def same_annotation(old: ast.expr, new: ast.expr, old_module: Module, new_module: Module) -> bool:
    """Return whether both annotations mean the same.

    ``Optional[X]``, ``X | None`` and ``"X | None"`` mean the same, and so do ``List`` and ``list``.
    The order in a union does not matter, nor does the way in which a name was imported, nor
    whether a type has a name of its own in the module.
    """
    try:
        return _Meaning(old_module).of(old) == _Meaning(new_module).of(new)
    except RecursionError:
        return expression_text(old) == expression_text(new)


class _Meaning:
    """The meaning of one annotation in its module, as text."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._names = Names(module)
        self._aliases_left = _MAX_ALIASES

    def of(self, annotation: ast.expr) -> str:
        """Return a text that is the same for all annotations that mean the same."""
        meanings = {self._without_union(each) for each in self._members(annotation)}
        return " | ".join(sorted(meanings))

    def _members(self, annotation: ast.expr) -> Iterator[ast.expr]:
        """Yield the members of a union, and those of unions in it.

        An annotation that is no union is its own only member.
        """
        match annotation:
            case ast.Constant(value=str(text)) if (quoted := _parsed(text)) is not None:
                yield from self._members(quoted)
            case ast.Name(id=name) if (alias := self._alias(name)) is not None:
                yield from self._members(alias)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                yield from self._members(left)
                yield from self._members(right)
            case ast.Subscript(value=value):
                name = self._name(value)
                if name == "typing.Literal" and len(_arguments(annotation)) > 1:
                    for argument in _arguments(annotation):
                        literal = ast.Subscript(value, argument, ast.Load())
                        yield ast.Constant(None) if _is_none(argument) else literal
                    return
                if name not in ("typing.Optional", "typing.Union"):
                    yield annotation
                    return
                if name == "typing.Optional":
                    yield ast.Constant(None)
                for argument in _arguments(annotation):
                    yield from self._members(argument)
            case _:
                yield annotation

    def _alias(self, name: str) -> ast.expr | None:
        """Return the type that a name of the module stands for."""
        known = self._module.members.get(name)
        if not isinstance(known, Value):
            return None
        is_quoted = isinstance(known.value, ast.Constant) and isinstance(known.value.value, str)
        if not is_quoted and not isinstance(known.value, ast.Subscript | ast.BinOp):
            return None
        self._aliases_left -= 1
        if self._aliases_left < 0:  # they may be in a circle
            raise RecursionError
        return known.value

    def _without_union(self, annotation: ast.expr) -> str:
        match annotation:
            case ast.Subscript(value=value):
                name = self._name(value)
                if name == "typing.Literal":
                    texts = {expression_text(each) for each in _arguments(annotation)}
                    return f"{name}[{', '.join(sorted(texts))}]"
                if name.endswith("Annotated"):
                    return self.of(_arguments(annotation)[0])
                return f"{name}[{self._listed(_arguments(annotation))}]"
            case ast.List(elts=elements):
                return f"[{self._listed(elements)}]"
        return self._name(annotation)

    def _listed(self, annotations: list[ast.expr]) -> str:
        return ", ".join(self.of(each) for each in annotations)

    def _name(self, node: ast.expr) -> str:
        if _is_type_of_none(node):
            return "None"
        name = self._names.dotted(node)
        return expression_text(node) if name is None else _SAME.get(name, name)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_type_of_none(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="type"), args=[argument]):
            return _is_none(argument)
    return False


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return None


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    if isinstance(node.slice, ast.Tuple) and node.slice.elts:
        return node.slice.elts
    return [node.slice]
