"""The findings for a member that only one of the two versions has."""

from typing import Final

from policy.breaking.finding import Finding, Kind, new_finding
from policy.breaking.surface.elements import (
    Binding,
    Class,
    Function,
    Imported,
    Member,
    Property,
    Value,
)

_NOUNS: Final[dict[type, str]] = {
    Function: "function",
    Class: "class",
    Property: "property",
    Value: "value",
    Imported: "name",
}


def removed(name: str, member: Member, *, is_enum: bool = False) -> Finding:
    """Return the finding for a member that the new version has no more.

    ``is_enum`` says that the class which had it is an enumeration. The line is the one in the old
    code.
    """
    noun, kind = noun_of(member), _removed_kind(name, member)
    if is_enum and kind == "attribute_removed":
        noun, kind = "member", "enum_member_removed"
    return new_finding(kind, name, f"The {noun} {name} was removed.", member.line, old=noun)


def _removed_kind(name: str, member: Member) -> Kind:
    match member:
        case Function(binding=binding):
            return "function_removed" if binding is Binding.NOTHING else "method_removed"
        case Class():
            return "class_removed"
    return "attribute_removed" if "." in name else "constant_removed"


def added(name: str, member: Member) -> Finding:
    """Return the finding for a member that the old version did not have."""
    noun = noun_of(member)
    return new_finding("added", name, f"The {noun} {name} is new.", member.line, new=noun)


def is_import(member: Member) -> bool:
    """Return whether an import statement binds the name, so that it is not meant for callers."""
    return isinstance(member, Imported) and not member.is_assigned


def noun_of(member: Member) -> str:
    """Return the noun that a sentence uses for the member."""
    if isinstance(member, Function) and member.binding is not Binding.NOTHING:
        return "method"
    return _NOUNS[type(member)]
