"""What a class inherits, from bases in the same module and from the standard library.

``known`` is the `lineage` of a class: the class itself, then its bases in the module.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from policy.breaking.surface.elements import (
    AnyFunction,
    Class,
    Fields,
    Function,
    Member,
    Module,
    Parameter,
    Passing,
    Value,
    is_public,
)
from policy.breaking.surface.method_effects import CONSTRUCTORS, MethodEffects, effects_of
from policy.breaking.surface.resolution.standard_library import (
    known_ancestors,
    run_time_base,
    standard_class,
    standard_signature,
)

_MAX_CLASSES: Final = 100
_PASSINGS: Final = {
    inspect.Parameter.POSITIONAL_ONLY: Passing.POSITIONAL,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: Passing.EITHER,
    inspect.Parameter.VAR_POSITIONAL: Passing.EXTRA_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY: Passing.KEYWORD,
    inspect.Parameter.VAR_KEYWORD: Passing.EXTRA_KEYWORD,
}


@dataclass(frozen=True, slots=True)
class Constructor:
    """The parameters that a call of a class takes.

    ``owner`` is the class that defines it; None for a class of the standard library.
    ``is_made_of_fields`` tells one that is made of fields from a method in the source.
    """

    line: int
    owner: Class | None
    parameters: tuple[Parameter, ...]
    is_made_of_fields: bool = False
    first: Parameter | None = None


def constructor_of(known: list[Class], module: Module) -> Constructor | None:
    """Return how a class is called; None if that is not known.

    A call goes through ``__new__`` and ``__init__``. The one that takes any arguments decides
    nothing.
    """
    made = _method(known, "__new__")
    initialized = _initializer(known)
    if initialized is None and not has_unknown_base(known, module):
        initialized = _standard_constructor(known)
        is_left_to_new = not (initialized and initialized.parameters) or any(
            "OSError" in known_ancestors(base) for each in known for base in each.bases
        )
        if made and initialized and is_left_to_new:  # by the `__init__` of object or OSError
            return made
    if initialized is None or (made and _takes_anything(initialized)):
        return made
    if made and _is_named_tuple(initialized) and _is_nearer(made, initialized, known):
        return made
    return initialized


def _is_named_tuple(constructor: Constructor) -> bool:
    """Return whether the constructor is the ``__new__`` that a named tuple gets."""
    bases = constructor.owner.bases if constructor.owner else ()
    return constructor.is_made_of_fields and "typing.NamedTuple" in bases


def _is_nearer(one: Constructor, other: Constructor, known: list[Class]) -> bool:
    order = [each for each in known if each in (one.owner, other.owner)]
    return order[0] is one.owner


def _method(known: list[Class], name: str) -> Constructor | None:
    for each in known:
        method = each.members.get(name)
        if isinstance(method, Function):
            return Constructor(method.line, each, method.parameters, first=method.first)
    return None


def _initializer(known: list[Class]) -> Constructor | None:
    for index, each in enumerate(known):
        if isinstance(each.members.get("__init__"), Function):
            return _method(known[index:], "__init__")
        if each.fields is not None and each.fields.makes_constructor:
            fields = _fields_of_all(known[index:])
            return Constructor(each.line, each, fields, is_made_of_fields=True)
    return None


def _takes_anything(constructor: Constructor) -> bool:
    passings = [each.passing for each in constructor.parameters]
    return passings == [Passing.EXTRA_POSITIONAL, Passing.EXTRA_KEYWORD]


def _standard_constructor(known: list[Class]) -> Constructor | None:
    for base in (base for each in known for base in each.bases):
        if standard_class(run_time_base(base)) is None:
            continue
        signature = standard_signature(base)
        if signature is None:
            return None
        if signature.parameters:
            return Constructor(known[0].line, None, parameters_of_signature(signature))
    return Constructor(known[0].line, None, ())


def parameters_of_signature(signature: inspect.Signature) -> tuple[Parameter, ...]:
    """Return the parameters of a function or class that is not read from source."""
    return tuple(
        Parameter(
            each.name,
            _PASSINGS[each.kind],
            None if each.default is inspect.Parameter.empty else ast.Name("…"),
            None,
        )
        for each in signature.parameters.values()
    )


def _fields_of_all(classes: list[Class]) -> tuple[Parameter, ...]:
    """Return the fields of all classes: those of bases first, keyword-only ones last."""
    by_name: dict[str, Parameter] = {}
    for each in reversed(classes):
        fields = each.fields or Fields(())
        for parameter in fields.parameters:
            if fields.move_if_declared_again:
                by_name.pop(parameter.name, None)
            by_name[parameter.name] = parameter
    return tuple(sorted(by_name.values(), key=lambda field: field.passing is Passing.KEYWORD))


def members_of(known: list[Class], module: Module) -> dict[str, tuple[Class, Member]]:
    """Return all members by name, each with the nearest class that defines it.

    The attributes that an instance has when it has been made are among them.
    """
    members: dict[str, tuple[Class, Member]] = {}
    for each in known:
        for name, member in each.members.items():
            members.setdefault(name, (each, member))
    for owner, effects in effects_of_construction(known, module):
        for name, attribute in effects.sets.items():
            _add_attribute(members, name, owner, attribute)
    return members


def _add_attribute(
    members: dict[str, tuple[Class, Member]], name: str, owner: Class, attribute: Value
) -> None:
    _, known = members.get(name, (owner, None))
    if known is None:
        members[name] = owner, attribute
    elif isinstance(known, Value) and known.value is None:
        annotation = known.annotation or attribute.annotation
        is_of_instance = attribute.is_of_instance
        found = Value(known.line, annotation, attribute.value, is_of_instance=is_of_instance)
        members[name] = owner, found


def effects_of_construction(
    known: list[Class], module: Module
) -> list[tuple[Class, MethodEffects]]:
    """Return the effects of the methods that run, or may run, while an instance is made.

    A method runs if a constructor uses its name, or another method that runs does. So does a
    function that is given the instance.
    """
    found: list[tuple[Class, MethodEffects]] = []
    seen: set[tuple[str, str]] = set()
    waiting = [*reversed(CONSTRUCTORS), "__init_subclass__"]
    while waiting:
        name = waiting.pop()
        for each in known:
            method = each.methods.get(name)
            if method is None:
                continue
            effects = effects_of(method)
            if name == "__init_subclass__":
                effects = _on_class(effects)
            if (each.name, name) not in seen:
                seen.add((each.name, name))
                found.append((each, effects))
                waiting += sorted(effects.uses)
            if not effects.calls_base:
                break
    return _with_helpers(found, known, module)


def _with_helpers(
    found: list[tuple[Class, MethodEffects]], known: list[Class], module: Module
) -> list[tuple[Class, MethodEffects]]:
    """Return the effects, with those of the functions that are given the instance."""
    seen: set[tuple[str, int]] = set()
    for owner, effects in found:  # which grows meanwhile
        for given_to in sorted(effects.gives_to):
            for path, position in _functions_named(given_to, known):
                node = module.nodes.get(path)
                if isinstance(node, AnyFunction) and (path, position) not in seen:
                    seen.add((path, position))
                    found.append((owner, effects_of(node, position)))
    return found


def _on_class(effects: MethodEffects) -> MethodEffects:
    sets = {name: replace(each, is_of_instance=False) for name, each in effects.sets.items()}
    return replace(effects, sets=sets)


def _functions_named(given_to: tuple[str, int], known: list[Class]) -> Iterator[tuple[str, int]]:
    """Yield where the definition of a function may be that a method gives the instance to."""
    name, position = given_to
    if name.startswith("."):
        yield from ((f"{each.name}{name}", position) for each in known)
    else:
        yield name, position


def ancestors(known: list[Class], module: Module) -> set[str]:
    """Return the names of all known bases and of their bases, those of Python included."""
    names = {name for each in known for name in each.bases}
    for name in tuple(names):
        if module.member(name) is None:
            names.update(known_ancestors(name))
    return names


def public_bases(known: list[Class]) -> list[str]:
    """Return the bases that callers may know.

    A private base that is in the module is replaced by its own bases.
    """
    return [
        run_time_base(name)
        for each in known
        if each is known[0] or not is_public(each.name.rpartition(".")[2])
        for name in each.bases
        if is_public(name.rpartition(".")[2])
    ]


def has_unknown_base(known: list[Class], module: Module) -> bool:
    """Return whether a class may have members that the module does not show."""
    return any(
        not isinstance(module.member(name), Class) and standard_class(run_time_base(name)) is None
        for each in known
        for name in each.bases
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
    named = [module.member(name) for name in this.bases]
    return [base for base in named if isinstance(base, Class)]
