"""The parts of a class statement besides its body: bases, metaclass, decorators and fields."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from policy.breaking.surface.decorators import decorator_name
from policy.breaking.surface.elements import (
    AnyFunction,
    Binding,
    Class,
    Fields,
    Function,
    Member,
    Module,
    Parameter,
    Passing,
    Value,
)
from policy.breaking.surface.fields.configuration import config_of
from policy.breaking.surface.fields.declared import declared_fields
from policy.breaking.surface.fields.makers import Library, maker_in, maker_of
from policy.breaking.surface.inheritance import ancestors, lineage
from policy.breaking.surface.method_effects import effects_of
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.statements import key_text

_COMPARISONS: Final = ("__lt__", "__le__", "__gt__", "__ge__")
_SIX: Final = frozenset({"six.with_metaclass", "future.utils.with_metaclass"})


def bases_of(node: ast.ClassDef, names: Names) -> list[ast.expr]:
    """Return the bases, those of ``*BASES`` and of six's ``with_metaclass`` one by one."""
    return [base for each in node.bases for base in _bases_in(each, names)]


def _bases_in(node: ast.expr, names: Names) -> Iterator[ast.expr]:
    match node:
        case ast.Starred(value=value):
            listed = names.resolved(value)
            if isinstance(listed, ast.Tuple | ast.List):
                yield from listed.elts
            else:
                yield node
        case ast.Call(args=[_, *bases]) if names.dotted(node.func) in _SIX:
            yield from bases
        case _:
            yield node


def metaclass_of(node: ast.ClassDef, names: Names) -> str | None:
    """Return the dotted name of the metaclass that the statement gives."""
    given = [each.value for each in node.keywords if each.arg == "metaclass"]
    calls = [each for each in node.bases if isinstance(each, ast.Call) and each.args]
    given += [each.args[0] for each in calls if names.dotted(each.func) in _SIX]
    return names.dotted(given[0]) if given else None


def bind_given(node: ast.ClassDef, members: dict[str, Member], names: Names) -> None:
    """Bind what decorators and ``Generic`` give the class."""
    if any(_takes_types(each, names) for each in node.bases):
        members.setdefault("__class_getitem__", _CLASS_GETITEM)
    for each in node.decorator_list:
        name = decorator_name(each, names)
        if name == "functools.total_ordering":
            _bind_comparisons(members, node.lineno)
        function = names.definition(name)
        if isinstance(function, AnyFunction):
            for attribute, value in effects_of(function).sets.items():
                members.setdefault(attribute, replace(value, is_of_instance=False))


def _takes_types(base: ast.expr, names: Names) -> bool:
    """Return whether a class with this base is subscripted with types, as ``Generic[T]`` is."""
    generic = ("typing.Generic", "typing.Protocol")
    return isinstance(base, ast.Subscript) and names.dotted(base.value) in generic


#: What ``Generic`` gives a class.
_CLASS_GETITEM: Final = Function(
    1, (Parameter("item", Passing.POSITIONAL, None, None),), binding=Binding.CLASS
)


def drop_ignored(members: dict[str, Member]) -> None:
    """Drop the names in ``_ignore_``, which an enumeration removes from itself."""
    match members.get("_ignore_"):
        case Value(value=ast.List(elts=names) | ast.Tuple(elts=names)):
            ignored = [key_text(each) for each in names]
        case Value(value=ast.Constant(value=str(text))):
            ignored = [*text.replace(",", " ").split()]
        case _:
            return
    for name in ignored:
        members.pop(name or "", None)


def is_checkable(node: ast.ClassDef, bases: list[str], names: Names) -> bool:
    """Return whether ``isinstance`` works with the class."""
    marks = (decorator_name(each, names) for each in node.decorator_list)
    return "typing.Protocol" not in bases or "typing.runtime_checkable" in marks


def is_unhashable(members: dict[str, Member]) -> bool:
    """Return whether the body of a class takes away that its instances can be hashed."""
    match members.get("__hash__"):
        case None:
            return "__eq__" in members
        case Value(value=ast.Constant(value=None)):
            return True
    return False


def with_fields(
    node: ast.ClassDef, defined: Class, module: Module, names: Names, inner: Names
) -> Class:
    """Return the class with its fields, and bind what callers read of them.

    ``names`` are those outside of the class, ``inner`` those of its body.
    """
    known = ancestors(lineage(defined, module), module)
    maker = maker_of(node, defined.bases, known, names)
    if maker is None:
        return defined
    fields = list(declared_fields(node, maker, inner, known))
    members = defined.members
    for field in fields:
        member = members.get(field.name)
        if not field.is_attribute and field.default is None:
            members.pop(field.name, None)
        elif isinstance(member, Value):
            members[field.name] = replace(member, value=field.default, alias=None)
    if maker.is_set("order", True):
        _bind_comparisons(members, node.lineno)
    is_made = "__init__" not in members and not maker.is_set("init", False)
    parameters = tuple(each for field in fields for each in field.parameters)
    is_model = maker.library is Library.PYDANTIC
    are_frozen = maker.freezes() or (is_model and config_of(node, inner, known).freezes)
    return replace(
        defined,
        fields=Fields(parameters, is_made, are_frozen, maker.library is Library.ATTRS),
        is_unhashable=maker.takes_hash_away() and "__hash__" not in members,
    )


def decorated_again(
    name: str, value: ast.expr | None, module: Module, names: Names
) -> ast.ClassDef | None:
    """Return the statement of a class with one decorator more: ``P = dataclass(P)``."""
    match value:
        case ast.Call(func=decorator, args=[ast.Name() as argument], keywords=keywords):
            node = module.nodes.get(names.dotted(argument) or "")
            applied = ast.Call(decorator, [], keywords) if keywords else decorator
            if not isinstance(node, ast.ClassDef) or maker_in(applied, names) is None:
                return None
            decorated = ast.ClassDef(**vars(node))
            decorated.name = name
            decorated.decorator_list = [applied, *node.decorator_list]
            return decorated
    return None


def _bind_comparisons(members: dict[str, Member], line: int) -> None:
    """Bind the methods such as ``__lt__`` that ``order=True`` makes."""
    other = Parameter("other", Passing.EITHER, None, None)
    for name in _COMPARISONS:
        members.setdefault(name, Function(line, (other,), binding=Binding.INSTANCE))
