"""The reading of what a method does to its instance: the attributes that it sets."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy.breaking.surface.elements import AnyFunction, Value
from policy.breaking.surface.statements import own_nodes, unpacked

#: The methods that Python or a library runs for each new instance.
CONSTRUCTORS: Final = (
    *("__new__", "__init__", "__post_init__", "__attrs_pre_init__", "__attrs_post_init__"),
    *("model_post_init",),
)


@dataclass(frozen=True, slots=True)
class MethodEffects:
    """What a method does to its instance."""

    #: The attributes that it sets.
    sets: dict[str, Value]
    #: The names of the instance that it uses: methods that it may call.
    uses: frozenset[str]
    #: Whether it may set attributes whose names are not known.
    sets_others: bool = False
    #: Whether it calls the method of a base too.
    calls_base: bool = False


def effects_of(method: AnyFunction) -> MethodEffects:
    """Return what the method does to its instance, which ``__new__`` makes by itself."""
    positional = [*method.args.posonlyargs, *method.args.args]
    if not positional:
        return MethodEffects({}, frozenset())
    nodes = list(own_nodes(method))
    instances = {positional[0].arg, *_made_instances(nodes)}
    sets: dict[str, Value] = {}
    uses: set[str] = set()
    sets_others = calls_base = False
    for node in nodes:
        for name, value in _attributes_set(node, instances):
            if name is None:
                sets_others = True
            elif value is not None:
                sets.setdefault(name, value)
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in instances:
                uses.add(name)
            case ast.Attribute(attr=name) if name in CONSTRUCTORS:
                calls_base = True
            case ast.Name(id="super"):
                calls_base = True
    return MethodEffects(sets, frozenset(uses), sets_others, calls_base)


def _made_instances(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that are given to the result of a ``__new__``."""
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="__new__"))
            ):
                yield name
            case ast.AnnAssign(
                target=ast.Name(id=name), value=ast.Call(func=ast.Attribute(attr="__new__"))
            ):
                yield name


def _attributes_set(
    node: ast.AST, instances: set[str]
) -> Iterator[tuple[str | None, Value | None]]:
    """Yield the attributes that one statement or call sets; None for any names."""
    for target, annotation, value in _targets(node):
        for part in unpacked(target):
            match part:
                case ast.Attribute(value=ast.Name(id=owner), attr="__dict__") if owner in instances:
                    yield None, None
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in instances:
                    yield name, Value(part.lineno, annotation, value)
                case ast.Subscript(value=entries, slice=key) if _is_dict(entries, instances):
                    yield _entry(key, value or key)
    if isinstance(node, ast.Call):
        yield from _attributes_set_by_call(node, instances)


def _attributes_set_by_call(
    call: ast.Call, instances: set[str]
) -> Iterator[tuple[str | None, Value | None]]:
    match call.func:
        case ast.Name(id="setattr") | ast.Attribute(attr="__setattr__"):
            if len(call.args) > 1:
                yield _entry(call.args[-2], call.args[-1])
        case ast.Attribute(value=entries, attr="update") if _is_dict(entries, instances):
            yield from [(None, None)] * len(call.args)
            for each in call.keywords:
                yield _entry(ast.Constant(each.arg), each.value)


def _entry(key: ast.expr, value: ast.expr) -> tuple[str | None, Value | None]:
    """Return the attribute that a text names; None for any other expression."""
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return key.value, Value(value.lineno, None, value)
    return None, None


def _targets(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None, ast.expr | None]]:
    """Yield each target that the node assigns, with the annotation and the value."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield target, None, value
        case ast.AnnAssign(target=target, annotation=annotation, value=ast.expr() as value):
            yield target, annotation, value
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            yield target, None, value
        case ast.withitem(optional_vars=ast.expr() as target, context_expr=value):
            yield target, None, value


def _is_dict(owner: ast.expr, instances: set[str]) -> bool:
    match owner:
        case ast.Attribute(value=ast.Name(id=name), attr="__dict__"):
            return name in instances
        case ast.Call(func=ast.Name(id="vars"), args=[ast.Name(id=name)]):
            return name in instances
    return False
