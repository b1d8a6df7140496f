"""How two members of a module or a class differ that have the same name."""

from collections.abc import Iterator
from typing import Final

from policy.breaking.annotations import same_annotation
from policy.breaking.classes import Side, compare_classes, is_shared_base, is_told_of_base
from policy.breaking.finding import Finding, Kind, found, shown
from policy.breaking.functions import compare_functions
from policy.breaking.surface.elements import (
    Binding,
    Class,
    Function,
    Imported,
    Member,
    Module,
    Property,
    Value,
    is_public,
)
from policy.breaking.surface.expressions import text_of

_WORDS: Final[dict[type, str]] = {
    Function: "function",
    Class: "class",
    Property: "property",
    Value: "value",
    Imported: "name",
}


def compare_members(
    name: str, old: Member, new: Member, before: Module, after: Module
) -> Iterator[Finding]:
    """All that differs between them; ``name`` is dotted, ``before`` and ``after`` their modules."""
    match old, new:
        case Imported(), _:
            return
        case _, Imported():
            sentence = f"{name} is imported now; what it is there was not looked at."
            yield found("became_imported", name, sentence, new.line)
        case Function(), Function():
            yield from compare_functions(name, old, new, before, after)
        case Class(), Class():
            yield from _classes(name, Side(old, before), Side(new, after))
        case ((Value() | Property()), (Value() | Property())):
            yield from _attributes(name, old, new, before, after)
        case _:
            was, now = word(old), word(new)
            sentence = f"{name} is a {now} now; it was a {was}."
            yield found("kind_changed", name, sentence, new.line, old=was, new=now)


def _classes(name: str, then: Side, now: Side) -> Iterator[Finding]:
    """Their members are all they have, inherited ones too; what is told of a public base is not
    told of each class derived from it.
    """
    yield from compare_classes(name, then, now)
    old, new = then.members, now.members
    fields = then.fields | now.fields  # the constructor's findings tell of them
    kept = then.fields & now.fields
    for each, (owner, member) in old.items():
        path = f"{name}.{each}"
        if not _counts(each, member) or each in kept:
            continue
        if each in new:
            new_owner, new_member = new[each]
            if not is_told_of_base(owner, new_owner, then, now):
                yield from compare_members(path, member, new_member, then.module, now.module)
        elif each not in fields and _is_lost(each, owner, then, now):
            yield removed(path, member, is_enum=then.is_enum)
    for each, (owner, member) in new.items():
        is_new = _counts(each, member) and each not in old and each not in fields
        if is_new and _is_lost(each, owner, now, then):
            yield added(f"{name}.{each}", member)


def _is_lost(name: str, owner: Class, then: Side, now: Side) -> bool:
    """Whether a class that had this of ``owner`` is without it now. What ``__init__`` set then
    and another method sets now may be set in time.
    """
    return not is_shared_base(owner, then, now) and name not in now.this.set_by_methods


def _counts(name: str, member: Member) -> bool:
    is_constructor = name in ("__init__", "__new__") and isinstance(member, Function)
    return is_public(name) and not is_constructor and not is_import(member)


def is_import(member: Member) -> bool:
    """Whether the name is bound for the module's own use."""
    return isinstance(member, Imported) and not member.is_given


def _attributes(
    name: str, old: Value | Property, new: Value | Property, before: Module, after: Module
) -> Iterator[Finding]:
    if isinstance(new, Property) and not new.is_settable:
        if isinstance(old, Value) or old.is_settable:
            sentence = f"{name} can no longer be set."
            yield found("setter_removed", name, sentence, new.line, old=word(old), new=word(new))
    elif isinstance(old, Value) and isinstance(new, Value) and old.value and not new.value:
        sentence = f"{name} has no value any more."
        yield found("value_removed", name, sentence, new.line, old=text_of(old.value))
    if old.annotation is None or new.annotation is None:
        return
    if not same_annotation(old.annotation, new.annotation, before.imports, after.imports):
        was, now = text_of(old.annotation), text_of(new.annotation)
        sentence = f"{name} is {shown(now)}, which was {shown(was)}."
        yield found("attribute_annotation_changed", name, sentence, new.line, old=was, new=now)


def removed(name: str, member: Member, *, is_enum: bool = False) -> Finding:
    """What is said of a member that is no more; the line is that in the old code."""
    what, kind = word(member), _removed_kind(name, member)
    if is_enum and kind == "attribute_removed":
        what, kind = "member", "enum_member_removed"
    return found(kind, name, f"The {what} {name} was removed.", member.line, old=what)


def _removed_kind(name: str, member: Member) -> Kind:
    match member:
        case Function(binding=binding):
            return "function_removed" if binding is Binding.NOTHING else "method_removed"
        case Class():
            return "class_removed"
    return "attribute_removed" if "." in name else "constant_removed"


def added(name: str, member: Member) -> Finding:
    """What is said of a new member."""
    return found("added", name, f"The {word(member)} {name} is new.", member.line, new=word(member))


def word(member: Member) -> str:
    """What a sentence calls it."""
    if isinstance(member, Function) and member.binding is not Binding.NOTHING:
        return "method"
    return _WORDS[type(member)]
