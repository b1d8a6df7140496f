"""The comparison of two members of the same name, of a module or of a class."""

import ast
from collections.abc import Iterator
from typing import Final

from policy.breaking.added_removed import added, is_import, noun_of, removed
from policy.breaking.attributes import compare_attributes
from policy.breaking.classes import (
    compare_classes,
    is_from_shared_base,
    is_reported_for_base,
)
from policy.breaking.finding import Finding, new_finding, one_line
from policy.breaking.functions import compare_decorators, compare_functions
from policy.breaking.parameters import compare_parameters
from policy.breaking.resolved_class import ResolvedClass
from policy.breaking.results import is_used_like
from policy.breaking.surface.elements import (
    Class,
    Function,
    Imported,
    Member,
    Module,
    Property,
    Result,
    Value,
    is_public,
)
from policy.breaking.surface.functions import lambda_of
from policy.breaking.surface.method_effects import CONSTRUCTORS
from policy.breaking.surface.resolution.names import Names


def compare_members(
    name: str, old: Member, new: Member, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    """Find what differs between two members; ``name`` is dotted."""
    match old, new:
        case Imported(), _:
            return
        case _, Imported():
            how = "made by a call" if isinstance(new.value, ast.Call) else "imported"
            sentence = f"{name} is {how} now; what it is there was not looked at."
            yield new_finding("became_imported", name, sentence, new.line)
        case Function(result=result), Class() if result is not Result.VALUE:
            yield from _compare_with_class(name, old, new, old_module, new_module)
        case Function(), Function():
            yield from compare_functions(name, old, new, old_module, new_module)
        case Class(), Class():
            old_class, new_class = ResolvedClass(old, old_module), ResolvedClass(new, new_module)
            yield from compare_classes(name, old_class, new_class)
            yield from _compare_class_members(name, old_class, new_class)
        case Function(), Value() if (made := _function_in(new, new_module)) is not None:
            yield from compare_functions(name, old, made, old_module, new_module)
        case ((Value() | Property()), (Value() | Property())):
            yield from compare_attributes(name, old, new, old_module, new_module)
        case (Function(is_opaque=True), Value() | Property()) | (
            Value() | Property(),
            Function(is_opaque=True),
        ):
            yield from compare_decorators(name, _decorators(old), _decorators(new), new.line)
        case _:
            yield _kind_changed(name, old, new)


def _function_in(attribute: Value, module: Module) -> Function | None:
    """Return the function that an attribute of instances is, as in ``self.run = run``."""
    match attribute:
        case Value(value=ast.Lambda() as made, is_of_instance=True):
            return lambda_of(made, Names(module))
        case Value(value=ast.Name(id=name), is_of_instance=True):
            known = module.members.get(name)
            return known if isinstance(known, Function) else None
    return None


def _kind_changed(name: str, old: Member, new: Member) -> Finding:
    was, now = noun_of(old), noun_of(new)
    sentence = f"{name} is a {now} now; it was a {was}."
    return new_finding("kind_changed", name, sentence, new.line, old=was, new=now)


def _compare_with_class(
    name: str, old: Function, new: Class, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    """Find what differs between a function and a class whose instances are used as its results.

    Such a result is a context manager or a generator, for example.
    """
    made = ResolvedClass(new, new_module)
    if not is_used_like(made.members, old.result) or made.constructor is None:
        yield _kind_changed(name, old, new)
        return
    parameters = made.constructor.parameters
    for change in compare_parameters(old.parameters, parameters, old_module, new_module):
        yield change.finding(name, f"{name}()", new.line)


def _decorators(member: Member) -> tuple[str, ...]:
    """Return the decorators, which may make a property of a method."""
    if isinstance(member, Function):
        return member.decorators
    return ("property",) if isinstance(member, Property) else ()


def _compare_class_members(
    class_name: str, old: ResolvedClass, new: ResolvedClass
) -> Iterator[Finding]:
    """Find what differs between the members of two classes, inherited ones included.

    A difference in a public base class is reported for that base only, not again for each class
    derived from it. Fields that are added or removed are left to the comparison of constructors.
    """
    yield from _compare_old_members(class_name, old, new)
    yield from _compare_enum_values(class_name, old, new)
    for name, (owner, member) in new.members.items():
        path = f"{class_name}.{name}"
        is_known = name in old.members and not old.declares_only(name)
        if is_known or not _is_compared(name, member):
            continue
        if (standard := old.standard_member(name, member)) is not None:
            if not new.declares_only(name):
                yield from compare_members(path, standard, member, old.module, new.module)
        elif name in old.members or name in new.fields:
            continue
        elif _is_missing(name, owner, new, old):
            yield added(path, member)


def _compare_old_members(
    class_name: str, old: ResolvedClass, new: ResolvedClass
) -> Iterator[Finding]:
    """Find what became of the members that callers could use."""
    fields_of_both = old.fields.keys() & new.fields.keys()
    for name, (owner, member) in old.members.items():
        path = f"{class_name}.{name}"
        if not _is_compared(name, member) or name in fields_of_both or old.declares_only(name):
            continue
        if name in new.members:
            new_owner, new_member = new.members[name]
            if new.declares_only(name) and not isinstance(member, Value):
                yield removed(path, member)
            elif not is_reported_for_base(owner, new_owner, old, new):
                before = old.as_used(name, member)
                after = new.as_given(name, new_member)
                yield from compare_members(path, before, after, old.module, new.module)
        elif (standard := new.standard_member(name, member)) is not None:
            yield from compare_members(path, member, standard, old.module, new.module)
        elif not _is_argument(name, old, new) and _is_missing(name, owner, old, new):
            yield removed(path, member, is_enum=old.is_enum)


def _is_argument(name: str, old: ResolvedClass, new: ResolvedClass) -> bool:
    """Return whether a lost member is a field whose argument is reported as lost."""
    arguments = new.constructor.parameters if new.constructor else ()
    is_made_of_fields = new.constructor is not None and new.constructor.is_made_of_fields
    is_kept = old.fields.get(name) in {each.name for each in arguments}
    return name in old.fields and is_made_of_fields and not is_kept


def _compare_enum_values(
    class_name: str, old: ResolvedClass, new: ResolvedClass
) -> Iterator[Finding]:
    """Find members of an enumeration that are looked up by another value now."""
    for name, was in old.enum_values.items():
        now = new.enum_values.get(name, was)
        if was != now and is_public(name):
            path = f"{class_name}.{name}"
            _, member = new.members[name]
            was_text, now_text = one_line(repr(was)), one_line(repr(now))
            sentence = f"{path} has the value {now_text}, which was {was_text}."
            yield new_finding(
                "enum_value_changed", path, sentence, member.line, old=was_text, new=now_text
            )


#: The methods that no caller calls by their names.
_FOR_CONSTRUCTION: Final = frozenset({*CONSTRUCTORS, "__set_name__", "__del__"})


def _is_compared(name: str, member: Member) -> bool:
    is_constructor = name in _FOR_CONSTRUCTION and isinstance(member, Function)
    return is_public(name) and not is_constructor and not is_import(member)


def _is_missing(name: str, owner: Class, has_it: ResolvedClass, other: ResolvedClass) -> bool:
    """Return whether the other version of the class lacks a member that this version has.

    ``owner`` is the class that defines the member for ``has_it``. A member does not count as
    missing if a public base that both versions have defines it, or if the other version may have
    it all the same.
    """
    if is_from_shared_base(owner, has_it, other):
        return False
    hooks = {"__getattr__", "__getattribute__"}  # Python asks neither for special methods
    is_special = name.startswith("__")
    if not is_special and not hooks.isdisjoint(other.members.keys() - has_it.members.keys()):
        return False
    return not other.may_have(name)
