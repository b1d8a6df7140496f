"""The values of the members of an enumeration, by which callers look members up."""

import ast
from collections.abc import Iterable
from enum import Enum, EnumMeta, Flag, IntEnum, IntFlag, ReprEnum, StrEnum, auto
from typing import Final

from policy.breaking.surface.elements import Member, Value
from policy.breaking.surface.resolution.standard_library import standard_class

_ENUMS: Final = (StrEnum, IntFlag, IntEnum, Flag, ReprEnum, Enum)
#: Types whose call makes the value of a member from what the class says.
_DATA_TYPES: Final = (int, str, float)
_MAX_MEMBERS: Final = 5_000


def enum_values(
    members: Iterable[tuple[str, Member]], ancestors: Iterable[str], hooks: Iterable[str]
) -> dict[str, object]:
    """Return the value of each member that can be read; empty if the class computes its own.

    ``hooks`` are the names of the methods of the class and of its bases.
    """
    if {"__new__", "_generate_next_value_"} & set(hooks):
        return {}
    classes = [found for name in ancestors if (found := standard_class(name)) is not None]
    kind: EnumMeta = next(each for each in _ENUMS if each in classes)
    data_types = [each for each in _DATA_TYPES if each in classes and not issubclass(kind, each)]
    read: list[tuple[str, object]] = []
    for name, member in members:
        if name.startswith("_"):
            continue
        if isinstance(member, Value) and member.value is not None and member.alias is None:
            value = _read(member.value)
            if value is _UNREADABLE:
                break  # what follows may be counted on from it
            read.append((name, value))
    if len(read) > _MAX_MEMBERS:
        return {}
    try:
        made = kind("Members", read, type=data_types[0] if data_types else None)
        return {name: made[name].value for name, _ in read}
    except Exception:  # whatever Python raises for values that it does not accept
        return {}


_UNREADABLE: Final = object()


def _read(node: ast.expr) -> object:
    if isinstance(node, ast.Call) and not node.args and _is_auto(node.func):
        return auto()
    try:
        value = ast.literal_eval(node)
        hash(value)
    except (ValueError, TypeError, RecursionError, MemoryError, SyntaxError):
        return _UNREADABLE
    return value


def _is_auto(function: ast.expr) -> bool:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.rpartition(".")[2] == "auto"
    return False
