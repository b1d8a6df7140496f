"""A class together with what it inherits, as the comparison of two classes needs it."""

import ast
import inspect
from abc import ABCMeta
from dataclasses import replace
from functools import cached_property
from types import ClassMethodDescriptorType
from typing import Any, Final

from policy.breaking.results import result_in
from policy.breaking.surface.elements import (
    Binding,
    Class,
    Function,
    Member,
    Module,
    Parameter,
    Passing,
    Property,
    Value,
)
from policy.breaking.surface.enumerations import enum_values
from policy.breaking.surface.inheritance import (
    ancestors,
    constructor_of,
    effects_of_construction,
    has_unknown_base,
    lineage,
    members_of,
    parameters_of_signature,
    public_bases,
)
from policy.breaking.surface.method_effects import effects_of
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.resolution.standard_library import (
    is_implemented_by,
    is_subclass,
    standard_class,
)

#: Methods of a dict that do not say how they are called.
_WITHOUT_ARGUMENTS: Final = frozenset({"clear", "copy", "items", "keys", "popitem", "values"})
#: What every class has from `object` without being of use to callers.
_USELESS: Final = frozenset({"__lt__", "__le__", "__gt__", "__ge__", "__format__"})


_Members = dict[str, tuple[Class, Member]]

#: Special methods that Python does without if the class has those of one of the sets.
_INSTEAD: Final[dict[str, tuple[frozenset[str], ...]]] = {
    "__contains__": (frozenset({"__iter__"}), frozenset({"__getitem__"})),
    "__iter__": (frozenset({"__getitem__"}),),
    "__reversed__": (frozenset({"__len__", "__getitem__"}),),
    **{f"__{name}__": (frozenset({"__index__"}),) for name in ("int", "float", "complex")},
    **{f"__{name}__": (frozenset(),) for name in ("bool", "copy", "deepcopy")},
    **{
        f"__i{name}__": (frozenset({f"__{name}__"}),)
        for name in (
            *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift"),
            *("rshift", "and", "or", "xor"),
        )
    },
}


class ResolvedClass:
    """A class together with what it inherits from other classes."""

    def __init__(self, definition: Class, module: Module) -> None:
        self.definition = definition
        self.module = module
        self._lineage = lineage(definition, module)
        #: All members by name, each with the class that defines it.
        self.members = self._with_results(members_of(self._lineage, module))
        #: The names of all known bases and of their bases.
        self.ancestors = ancestors(self._lineage, module)
        #: The bases that callers may know.
        self.public_bases = public_bases(self._lineage)
        #: How the class is called; None if that is not known.
        self.constructor = constructor_of(self._lineage, module)
        #: Whether the attributes are members of an enumeration.
        self.is_enum = "enum.Enum" in self.ancestors
        self._has_unknown_base = has_unknown_base(self._lineage, module)

    def _with_results(self, known: _Members) -> _Members:
        """Return the members, of which those that return the result of a method say what it is."""
        methods = {name: member for name, (_, member) in known.items()}
        for name, (owner, member) in known.items():
            if isinstance(member, Function | Property) and member.returns_result_of:
                result = result_in(member, self.module, methods)
                known[name] = owner, replace(member, result=result)
        return known

    @cached_property
    def fields(self) -> dict[str, str]:
        """The argument for each field that the constructor sets; empty if it is a method."""
        constructor = self.constructor
        if constructor is None or not constructor.is_made_of_fields:
            return {}
        return {each.field: each.name for each in constructor.parameters if each.field}

    @cached_property
    def enum_values(self) -> dict[str, object]:
        """The values of the members of an enumeration, as far as they can be read."""
        hooks = [name for each in self._lineage for name in each.members]
        members = self.definition.members
        if not self.is_enum:
            return {}
        names = Names(self.module, members)
        resolved = [
            (name, replace(each, value=names.resolved(each.value)))
            if isinstance(each, Value) and each.value is not None
            else (name, each)
            for name, each in members.items()
        ]
        return enum_values(resolved, self.ancestors, hooks)

    @cached_property
    def _standard_bases(self) -> list[type]:
        """The classes of the standard library from which it is derived."""
        names = [each for each in sorted(self.ancestors) if self.module.member(each) is None]
        classes = [found for each in names if (found := standard_class(each)) is not None]
        return list(dict.fromkeys(base for each in classes for base in each.__mro__[:-1]))

    def is_derived_from(self, base: str) -> bool:
        """Return whether an instance of the class counts as an instance of the base."""
        if base in self.ancestors or any(is_subclass(each, base) for each in self.ancestors):
            return True
        is_abc = base == "abc.ABC" and any(
            each.metaclass == "abc.ABCMeta" for each in self._lineage
        )
        return is_abc or is_implemented_by(frozenset(self.members), base)

    @cached_property
    def is_hashable(self) -> bool:
        """Whether its instances can be keys of a dict, as far as it is known."""
        for each in self._lineage:
            if isinstance(each.members.get("__hash__"), Function):
                return True
            if each.is_unhashable:
                return False
        return all(each.__hash__ is not None for each in self._standard_bases)

    @cached_property
    def are_fields_frozen(self) -> bool:
        """Whether its fields can be set by the constructor alone."""
        return any(each.fields is not None and each.fields.are_frozen for each in self._lineage)

    @cached_property
    def abstract(self) -> set[str]:
        """The members without which it cannot be called."""
        metaclasses = {each.metaclass for each in self._lineage}
        bases = [each for each in self._standard_bases if isinstance(each, ABCMeta)]
        if "abc.ABCMeta" not in metaclasses and not bases:
            return set()
        names = {name for each in bases for name in each.__abstractmethods__}
        defined = {name for each in self._standard_bases for name in vars(each)}
        concrete = {name for name in names if self._has_concrete(name)} if defined else set()
        names -= concrete
        names -= {name for each in self._lineage for name in each.members}
        for name in {name for each in self._lineage for name in each.abstract}:
            owner = next(each for each in self._lineage if name in each.members)
            if name in owner.abstract:
                names.add(name)
        return names

    def _has_concrete(self, name: str) -> bool:
        """Return whether a class of the standard library implements an abstract method."""
        return any(
            name in vars(each) and name not in getattr(each, "__abstractmethods__", ())
            for each in self._standard_bases
        )

    def declares_only(self, name: str) -> bool:
        """Return whether a name is annotated in the class and set by nothing that is known."""
        _, member = self.members[name]
        if not isinstance(member, Value) or member.value is not None or name in self.fields:
            return False
        return not self._may_declare_attributes

    @cached_property
    def _may_declare_attributes(self) -> bool:
        """Whether a base or decorator that is not known may give a value to each annotated name."""
        return (
            self._has_unknown_base
            or not {"typing.TypedDict", "typing.Protocol"}.isdisjoint(self.ancestors)
            or any(each.decorators and each.fields is None for each in self._lineage)
        )

    def as_used(self, name: str, member: Member) -> Member:
        """Return the member as callers of this version use it: fields are read on instances."""
        if isinstance(member, Value) and (name in self.fields or self.is_enum):
            return replace(member, is_of_instance=True)
        return member

    def as_given(self, name: str, member: Member) -> Member:
        """Return the member with the value that the constructor gives a field."""
        if isinstance(member, Value) and member.value is None and name in self.fields:
            return replace(member, value=_GIVEN, is_of_instance=True)
        return member

    def standard_member(self, name: str, like: Member) -> Member | None:
        """Return the member of this name that the standard library gives it; None if it gives none.

        If it is not known how a method is called, it is called like the other member.
        """
        for each in self._standard_bases:
            if name in vars(each) and name not in _USELESS:
                found = vars(each)[name]
                # A ``__hash__`` of None says that there is none.
                return None if found is None else self._standard_member(found, name, like)
        return None

    def _standard_member(self, found: object, name: str, like: Member) -> Member:
        line = self.definition.line
        if isinstance(found, property):
            return Property(line, None, found.fset is not None)
        binding = _BINDINGS.get(type(found), Binding.INSTANCE)
        if binding is Binding.INSTANCE and not callable(found):
            return Value(line, None, _GIVEN)
        known = None if name.startswith("__") else _parameters(found, binding)
        if name in _WITHOUT_ARGUMENTS:
            known = ()
        if known is None:
            known = like.parameters if isinstance(like, Function) else ()
            if not name.startswith("__"):  # written in C, it takes no argument by name
                known = tuple(
                    replace(p, passing=_BY_POSITION.get(p.passing, p.passing)) for p in known
                )
        return Function(line, known, binding=binding)

    def may_have(self, name: str) -> bool:
        """Return whether callers may find a member although the class does not define it.

        A base that is not known may run any method before a caller reads the attribute.
        """
        if name not in _USELESS and name in vars(object):
            return True
        if any(others <= self.members.keys() for others in _INSTEAD.get(name, ())):
            return True
        if any(
            effects.sets_others
            for _, effects in effects_of_construction(self._lineage, self.module)
        ):
            return True
        methods = [method for each in self._lineage for method in each.methods.values()]
        return self._has_unknown_base and any(
            name in effects.sets or effects.sets_others for effects in map(effects_of, methods)
        )


_GIVEN: Final = ast.Name("…")
_BINDINGS: Final[dict[type, Binding]] = {
    classmethod: Binding.CLASS,
    ClassMethodDescriptorType: Binding.CLASS,
    staticmethod: Binding.STATIC,
}
_BY_POSITION: Final = {Passing.EITHER: Passing.POSITIONAL, Passing.KEYWORD: Passing.POSITIONAL}


def _parameters(method: Any, binding: Binding) -> tuple[Parameter, ...] | None:
    """Return the parameters of a method without ``self`` or ``cls``; None if they are not known."""
    function = getattr(method, "__func__", method)
    try:
        parameters = parameters_of_signature(inspect.signature(function))
    except (TypeError, ValueError):
        return None
    return parameters if binding is Binding.STATIC else parameters[1:]
