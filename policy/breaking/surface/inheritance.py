"""The members that a class inherits from bases in the same module."""

import builtins
from dataclasses import dataclass
from typing import Final

from policy.breaking.surface.elements import (
    Class,
    Function,
    Member,
    Module,
    Parameter,
    Passing,
    is_public,
)

_MAX_CLASSES: Final = 100


@dataclass(frozen=True, slots=True)
class Constructor:
    """The parameters that a call of a class takes.

    ``owner`` is the class that defines it. ``is_made_of_fields`` tells one that is made of fields
    from a method in the source.
    """

    line: int
    owner: Class
    parameters: tuple[Parameter, ...]
    is_made_of_fields: bool


def constructor_of(this: Class, module: Module) -> Constructor | None:
    """Return how the class is called; None if nothing in the module says it."""
    known = lineage(this, module)
    for index, each in enumerate(known):
        for name in ("__init__", "__new__"):
            method = each.members.get(name)
            if isinstance(method, Function):
                return Constructor(method.line, each, method.parameters, is_made_of_fields=False)
        if each.fields is not None:
            fields = _fields_of_all(known[index:])
            return Constructor(each.line, each, fields, is_made_of_fields=True)
    return None


def _fields_of_all(classes: list[Class]) -> tuple[Parameter, ...]:
    """Return the fields of all classes: those of bases first, keyword-only ones last.

    A field that a class declares again keeps the index that it has in the base.
    """
    by_name = {field.name: field for each in reversed(classes) for field in each.fields or ()}
    fields = sorted(by_name.values(), key=lambda field: field.passing is Passing.KEYWORD)
    return tuple(fields)


def members_of(this: Class, module: Module) -> dict[str, tuple[Class, Member]]:
    """Return all members by name, each with the nearest class that defines it."""
    members: dict[str, tuple[Class, Member]] = {}
    for each in lineage(this, module):
        for name, member in each.members.items():
            members.setdefault(name, (each, member))
    return members


def ancestors(this: Class, module: Module) -> set[str]:
    """Return the names of all known bases and of their bases, built-in ones included."""
    names = {name for each in lineage(this, module) for name in each.bases}
    for name in tuple(names):
        builtin = getattr(builtins, name, None)
        if isinstance(builtin, type):
            names.update(base.__name__ for base in builtin.__mro__[:-1])
    return names


def public_bases(this: Class, module: Module) -> list[str]:
    """Return the bases that callers may know.

    A private base that is in the module is replaced by its own bases.
    """
    return [
        name
        for each in lineage(this, module)
        if each is this or not is_public(each.name.rpartition(".")[2])
        for name in each.bases
        if is_public(name.rpartition(".")[2])
    ]


def has_unknown_base(this: Class, module: Module) -> bool:
    """Return whether the class may have members that the module does not show."""
    known = lineage(this, module)
    return any(
        not isinstance(module.members.get(name), Class) for each in known for name in each.bases
    )


def lineage(this: Class, module: Module) -> list[Class]:
    """Return the class and its bases in the module, each before its own bases; at most 100."""
    finished: list[Class] = []
    seen: set[Class] = set()
    waiting = [(this, False)]
    while waiting:  # depth first; no recursion, because a chain may be long or a circle
        each, are_bases_done = waiting.pop()
        if are_bases_done:
            finished.append(each)
        elif each not in seen and len(seen) < _MAX_CLASSES:
            seen.add(each)
            waiting.append((each, True))
            waiting += [(base, False) for base in _bases(each, module)]
    return finished[::-1]


def _bases(this: Class, module: Module) -> list[Class]:
    named = [module.members.get(name) for name in this.bases]
    return [base for base in named if isinstance(base, Class)]
