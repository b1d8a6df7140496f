"""The comparison of two classes, without their members: decorators, bases, and constructors."""

from collections.abc import Iterator
from typing import Final

from policy.breaking.finding import Finding, Kind, new_finding, one_line
from policy.breaking.functions import compare_decorators
from policy.breaking.parameters import ParameterChange, compare_parameters
from policy.breaking.surface.elements import Class, Module, is_public
from policy.breaking.surface.inheritance import (
    ancestors,
    constructor_of,
    has_unknown_base,
    members_of,
    public_bases,
)

_ENUMS: Final = frozenset(
    f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "ReprEnum")
)


class ResolvedClass:
    """A class together with what it inherits from the other classes of its module."""

    def __init__(self, definition: Class, module: Module) -> None:
        self.definition = definition
        self.module = module
        #: All members by name, each with the class that defines it.
        self.members = members_of(definition, module)
        #: The names of all known bases and of their bases.
        self.ancestors = ancestors(definition, module)
        #: How the class is called; None if no class of the module defines it.
        self.constructor = constructor_of(definition, module)
        #: Whether the attributes are members of an enumeration.
        self.is_enum = not _ENUMS.isdisjoint(self.ancestors)

    @property
    def fields(self) -> set[str]:
        """The names of the fields that make up the constructor; empty if it is a method."""
        constructor = self.constructor
        if constructor is None or not constructor.is_made_of_fields:
            return set()
        return {parameter.name for parameter in constructor.parameters}


def compare_classes(name: str, old: ResolvedClass, new: ResolvedClass) -> Iterator[Finding]:
    """Find what differs between two classes besides their members; ``name`` is dotted."""
    yield from compare_decorators(
        name, old.definition.decorators, new.definition.decorators, new.definition.line
    )
    yield from _compare_bases(name, old, new)
    if not old.is_enum:
        yield from _compare_constructors(name, old, new)


def is_reported_for_base(
    old_owner: Class, new_owner: Class, old: ResolvedClass, new: ResolvedClass
) -> bool:
    """Return whether a difference between two members is reported for a base of the class.

    The owners are the classes that define the members. It is so if both are the same public base.
    """
    is_same_base = old_owner.name == new_owner.name and new_owner is not new.definition
    return is_same_base and is_from_shared_base(old_owner, old, new)


def is_from_shared_base(owner: Class, has_it: ResolvedClass, other: ResolvedClass) -> bool:
    """Return whether ``owner`` is a public base of the one version and of the other."""
    is_base = owner is not has_it.definition and is_public(owner.name)
    return is_base and owner.name in other.ancestors


def _compare_bases(name: str, old: ResolvedClass, new: ResolvedClass) -> Iterator[Finding]:
    old_bases = public_bases(old.definition, old.module)
    new_bases = public_bases(new.definition, new.module)
    lost = [base for base in old_bases if base not in new.ancestors]
    gained = [base for base in new_bases if base not in old.ancestors]
    old_text, new_text = ", ".join(old_bases) or None, ", ".join(new_bases) or None
    line = new.definition.line
    instead = ", ".join(base for base in new_bases if base not in old_bases)
    for base in lost:
        kind: Kind = "base_class_changed" if instead else "base_class_removed"
        but = f", but from {one_line(instead)}" if instead else ""
        sentence = f"{name} is no longer derived from {base}{but}."
        yield new_finding(kind, name, sentence, line, old=old_text, new=new_text)
    if gained and not lost:
        sentence = f"{name} is now derived from {one_line(', '.join(gained))} too."
        yield new_finding("base_class_added", name, sentence, line, old=old_text, new=new_text)


def _compare_constructors(name: str, old: ResolvedClass, new: ResolvedClass) -> Iterator[Finding]:
    before, after = old.constructor, new.constructor
    if before and after and is_reported_for_base(before.owner, after.owner, old, new):
        return
    if before and not after and has_unknown_base(new.definition, new.module):
        # The unknown base may have a constructor, which cannot be compared.
        sentence = f"{name}() lost the __init__ of its own."
        yield new_finding("method_removed", f"{name}.__init__", sentence, before.line)
        return
    are_fields = bool(before and before.is_made_of_fields and after and after.is_made_of_fields)
    line = after.line if after else new.definition.line
    for change in compare_parameters(
        before.parameters if before else (),
        after.parameters if after else (),
        old.module.imports,
        new.module.imports,
    ):
        if are_fields and change.kind in ("parameter_removed", "parameter_renamed"):
            yield _field_finding(name, change, old, new)
        else:
            yield change.finding(f"{name}.__init__", f"{name}()", line)


def _field_finding(
    class_name: str, change: ParameterChange, old: ResolvedClass, new: ResolvedClass
) -> Finding:
    """Return the finding for a field that was removed or renamed."""
    path = f"{class_name}.{change.name}"
    if change.kind == "parameter_renamed":
        _, renamed = new.members[change.new or ""]
        sentence = f"{class_name} calls its field '{change.old}' now '{change.new}'."
        return new_finding(
            "field_renamed", path, sentence, renamed.line, old=change.old, new=change.new
        )
    _, lost = old.members[change.name]
    sentence = f"{class_name} lost its field '{change.name}'."
    return new_finding("field_removed", path, sentence, lost.line, old=change.old)
