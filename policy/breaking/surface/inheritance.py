"""What a class has from its bases, as far as these stand in the same file."""

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


def lineage(this: Class, module: Module) -> list[Class]:
    """The class and its bases in the file, each before its own bases; at most 100."""
    finished: list[Class] = []
    seen: set[Class] = set()
    waiting = [(this, False)]
    while waiting:  # depth first; no recursion, for a chain may be long, or a circle
        each, is_done = waiting.pop()
        if is_done:
            finished.append(each)
        elif each not in seen and len(seen) < _MAX_CLASSES:
            seen.add(each)
            waiting.append((each, True))
            waiting += [(base, False) for base in _bases(each, module)]
    return finished[::-1]


def _bases(this: Class, module: Module) -> list[Class]:
    named = [module.members.get(name) for name in this.bases]
    return [base for base in named if isinstance(base, Class)]


def ancestors(this: Class, module: Module) -> set[str]:
    """The names of all its bases that are known, those of built-in classes too."""
    names = {name for each in lineage(this, module) for name in each.bases}
    for name in tuple(names):
        builtin = getattr(builtins, name, None)
        if isinstance(builtin, type):
            names.update(base.__name__ for base in builtin.__mro__[:-1])
    return names


def public_bases(this: Class, module: Module) -> list[str]:
    """The bases that callers may know; a private one in the file gives way to its own."""
    return [
        name
        for each in lineage(this, module)
        if each is this or not is_public(each.name.rpartition(".")[2])
        for name in each.bases
        if is_public(name.rpartition(".")[2])
    ]


def has_unknown_base(this: Class, module: Module) -> bool:
    """Whether some of its members may come from elsewhere."""
    known = lineage(this, module)
    return any(
        not isinstance(module.members.get(name), Class) for each in known for name in each.bases
    )


def members_of(this: Class, module: Module) -> dict[str, tuple[Class, Member]]:
    """All members by name, each with the class that gives it: the nearest."""
    found: dict[str, tuple[Class, Member]] = {}
    for each in lineage(this, module):
        for name, member in each.members.items():
            found.setdefault(name, (each, member))
    return found


@dataclass(frozen=True, slots=True)
class Constructor:
    """What a call of the class takes. ``has_fields``: made from fields, not written."""

    line: int
    owner: Class
    parameters: tuple[Parameter, ...]
    has_fields: bool


def constructor(this: Class, module: Module) -> Constructor | None:
    """How the class is called; None where nothing in the file says it."""
    known = lineage(this, module)
    for each in known:
        for name in ("__init__", "__new__"):
            written = each.members.get(name)
            if isinstance(written, Function):
                return Constructor(written.line, each, written.parameters, has_fields=False)
        if each.fields is not None:
            fields = _all_fields(known[known.index(each) :])
            return Constructor(each.line, each, fields, has_fields=True)
    return None


def _all_fields(classes: list[Class]) -> tuple[Parameter, ...]:
    """Bases' fields first; a field declared again keeps its place."""
    by_name = {field.name: field for each in reversed(classes) for field in each.fields or ()}
    fields = sorted(by_name.values(), key=lambda field: field.passing is Passing.KEYWORD)
    return tuple(fields)
