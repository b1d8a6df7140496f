"""The comparison of two members of the same name, of a module or of a class."""

from collections.abc import Iterator

from policy.breaking.added_removed import added, is_import, noun_of, removed
from policy.breaking.attributes import compare_attributes
from policy.breaking.classes import (
    ResolvedClass,
    compare_classes,
    is_from_shared_base,
    is_reported_for_base,
)
from policy.breaking.finding import Finding, new_finding
from policy.breaking.functions import compare_functions
from policy.breaking.surface.elements import (
    Class,
    Function,
    Imported,
    Member,
    Module,
    Property,
    Value,
    is_public,
)


def compare_members(
    name: str, old: Member, new: Member, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    """Find what differs between two members; ``name`` is dotted."""
    match old, new:
        case Imported(), _:
            return
        case _, Imported():
            sentence = f"{name} is imported now; what it is there was not looked at."
            yield new_finding("became_imported", name, sentence, new.line)
        case Function(), Function():
            yield from compare_functions(name, old, new, old_module, new_module)
        case Class(), Class():
            old_class, new_class = ResolvedClass(old, old_module), ResolvedClass(new, new_module)
            yield from compare_classes(name, old_class, new_class)
            yield from _compare_class_members(name, old_class, new_class)
        case ((Value() | Property()), (Value() | Property())):
            yield from compare_attributes(name, old, new, old_module, new_module)
        case _:
            was, now = noun_of(old), noun_of(new)
            sentence = f"{name} is a {now} now; it was a {was}."
            yield new_finding("kind_changed", name, sentence, new.line, old=was, new=now)


def _compare_class_members(
    class_name: str, old: ResolvedClass, new: ResolvedClass
) -> Iterator[Finding]:
    """Find what differs between the members of two classes, inherited ones included.

    A difference in a public base class is reported for that base only, not again for each class
    derived from it. Fields that are added or removed are left to the comparison of constructors.
    """
    fields_of_either = old.fields | new.fields
    fields_of_both = old.fields & new.fields
    for name, (owner, member) in old.members.items():
        path = f"{class_name}.{name}"
        if not _is_compared(name, member) or name in fields_of_both:
            continue
        if name in new.members:
            new_owner, new_member = new.members[name]
            if not is_reported_for_base(owner, new_owner, old, new):
                yield from compare_members(path, member, new_member, old.module, new.module)
        elif name not in fields_of_either and _is_missing(name, owner, old, new):
            yield removed(path, member, is_enum=old.is_enum)
    for name, (owner, member) in new.members.items():
        is_new = name not in old.members and name not in fields_of_either
        if is_new and _is_compared(name, member) and _is_missing(name, owner, new, old):
            yield added(f"{class_name}.{name}", member)


def _is_compared(name: str, member: Member) -> bool:
    is_constructor = name in ("__init__", "__new__") and isinstance(member, Function)
    return is_public(name) and not is_constructor and not is_import(member)


def _is_missing(name: str, owner: Class, has_it: ResolvedClass, other: ResolvedClass) -> bool:
    """Return whether the other version of the class lacks a member that this version has.

    ``owner`` is the class that defines the member for ``has_it``. A member does not count as
    missing if a public base that both versions have defines it, or if any method of the other
    version sets it: that method may run before a caller reads the attribute.
    """
    if is_from_shared_base(owner, has_it, other):
        return False
    return name not in other.definition.set_by_methods
