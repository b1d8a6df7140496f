"""The comparison of two classes, without their members: decorators, bases, and constructors."""

from collections.abc import Iterator

from policy.breaking.finding import Finding, Kind, new_finding, one_line
from policy.breaking.functions import compare_decorators
from policy.breaking.parameters import ParameterChange, compare_first, compare_parameters
from policy.breaking.resolved_class import ResolvedClass
from policy.breaking.surface.elements import Class, Passing, Value, is_public
from policy.breaking.surface.inheritance import Constructor


def compare_classes(name: str, old: ResolvedClass, new: ResolvedClass) -> Iterator[Finding]:
    """Find what differs between two classes besides their members; ``name`` is dotted."""
    yield from compare_decorators(
        name, old.definition.decorators, new.definition.decorators, new.definition.line
    )
    yield from _compare_bases(name, old, new)
    if not old.is_enum:
        yield from _compare_constructors(name, old, new)
        yield from _compare_instances(name, old, new)


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
    old_bases, new_bases = old.public_bases, new.public_bases
    lost = [base for base in old_bases if not new.is_derived_from(base)]
    gained = [base for base in new_bases if not old.is_derived_from(base)]
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
    if before and after and _are_reported_for_base(before, after, old, new):
        return
    if before and before.owner and (after is None or _takes_another_kind(before, after, new)):
        # The constructor of the base cannot be compared: what it takes is not known.
        sentence = f"{name}() lost the __init__ of its own."
        yield new_finding("method_removed", f"{name}.__init__", sentence, before.line)
        return
    if before and after is None:
        return
    old_parameters = before.parameters if before else ()
    new_parameters = after.parameters if after else ()
    line = after.line if after else new.definition.line
    if before and after:
        for change in compare_first(before.first, after.first, old_parameters):
            yield change.finding(f"{name}.__init__", f"{name}()", line)
    are_fields = bool(before and before.is_made_of_fields and after and after.is_made_of_fields)
    for change in compare_parameters(old_parameters, new_parameters, old.module, new.module):
        finding = _field_finding(name, change, old, new) if are_fields else None
        yield finding or change.finding(f"{name}.__init__", f"{name}()", line)


def _takes_another_kind(before: Constructor, after: Constructor, new: ResolvedClass) -> bool:
    """Return whether the first argument goes to a collection now, which takes an iterable."""
    is_collection = after.owner is None and after.parameters
    if not is_collection or "BaseException" in new.ancestors:
        return False
    return bool(before.parameters) and before.parameters[0].passing is Passing.POSITIONAL


def _compare_instances(name: str, old: ResolvedClass, new: ResolvedClass) -> Iterator[Finding]:
    """Find that instances can no longer be made, hashed, recognised or changed."""
    line = new.definition.line
    if added := new.abstract - old.abstract:
        missing = one_line(", ".join(sorted(added)))
        state = "has more that is abstract" if old.abstract else "is abstract now"
        sentence = f"{name} {state}: a derived class has to define {missing}."
        yield new_finding("became_abstract", name, sentence, line, new=missing)
    if old.is_hashable and not new.is_hashable:
        sentence = f"{name} can no longer be hashed, as a key of a dict is."
        yield new_finding("became_unhashable", name, sentence, line)
    if old.definition.is_checkable and not new.definition.is_checkable:
        sentence = f"isinstance() no longer works with {name}."
        yield new_finding("method_removed", f"{name}.__instancecheck__", sentence, line)
    if new.are_fields_frozen and not old.are_fields_frozen and _could_be_set(old, new):
        sentence = f"The fields of {name} can no longer be set."
        yield new_finding("setter_removed", name, sentence, line)


def _could_be_set(old: ResolvedClass, new: ResolvedClass) -> bool:
    """Return whether callers could set what is a field in the new version."""
    both = old.members.keys() & new.fields.keys()
    return any(is_public(each) and isinstance(old.members[each][1], Value) for each in both)


def _are_reported_for_base(
    before: Constructor, after: Constructor, old: ResolvedClass, new: ResolvedClass
) -> bool:
    if before.owner is None or after.owner is None:
        return before.owner is after.owner and before.parameters == after.parameters
    return is_reported_for_base(before.owner, after.owner, old, new)


def _field_finding(
    class_name: str, change: ParameterChange, old: ResolvedClass, new: ResolvedClass
) -> Finding | None:
    """Return the finding for a field that was removed or renamed; None for any other change."""
    field = next((field for field, name in old.fields.items() if name == change.name), "")
    if field not in old.members or field in new.members:
        return None
    path = f"{class_name}.{field}"
    if change.kind == "parameter_renamed" and change.new in new.members:
        _, renamed = new.members[change.new]
        sentence = f"{class_name} calls its field '{change.old}' now '{change.new}'."
        return new_finding(
            "field_renamed", path, sentence, renamed.line, old=change.old, new=change.new
        )
    if change.kind == "parameter_removed":
        _, lost = old.members[field]
        sentence = f"{class_name} lost its field '{field}'."
        return new_finding("field_removed", path, sentence, lost.line, old=change.old)
    return None
