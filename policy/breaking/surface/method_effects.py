"""The reading of what a method does to its instance: the attributes that it sets."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy.breaking.surface.elements import AnyFunction, Value
from policy.breaking.surface.statements import key_text, own_nodes, unpacked

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
    #: The functions to which it gives the instance by position, and the position.
    gives_to: frozenset[tuple[str, int]] = frozenset()


def effects_of(method: AnyFunction, position: int = 0) -> MethodEffects:
    """Return what the method does to its instance, which ``__new__`` makes by itself.

    ``position`` is that of the parameter which takes the instance.
    """
    positional = [*method.args.posonlyargs, *method.args.args]
    if position >= len(positional):
        return MethodEffects({}, frozenset())
    nodes = list(own_nodes(method))
    instances = {positional[position].arg, *_made_instances(nodes)}
    texts = _texts_of_loops(nodes)
    sets: dict[str, Value] = {}
    uses: set[str] = set()
    gives_to: set[tuple[str, int]] = set()
    sets_others = calls_base = False
    for node in nodes:
        gives_to |= _receivers(node, instances)
        for name, value in _attributes_set(node, instances, texts):
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
    return MethodEffects(sets, frozenset(uses), sets_others, calls_base, frozenset(gives_to))


def _receivers(node: ast.AST, instances: set[str]) -> set[tuple[str, int]]:
    """Return the functions that a call gives an instance to; a method of it begins with a dot."""
    if not isinstance(node, ast.Call):
        return set()
    match node.func:
        case ast.Name(id=name):
            pass
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            name = f".{attribute}" if owner in instances else f"{owner}.{attribute}"
        case ast.Attribute(
            value=ast.Attribute(value=ast.Name(id=owner), attr="__class__")
            | ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=owner)]),
            attr=attribute,
        ) if owner in instances:
            name = f".{attribute}"
        case _:
            return set()
    return {
        (name, index)
        for index, each in enumerate(node.args)
        if isinstance(each, ast.Name) and each.id in instances
    }


def _texts_of_loops(nodes: list[ast.AST]) -> dict[str, list[str]]:
    """Return the texts that the variables of loops such as ``for x in ("a", "b")`` stand for."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        match node:
            case ast.For(target=target, iter=ast.Tuple(elts=items) | ast.List(elts=items)):
                pass
            case ast.For(
                target=target,
                iter=ast.Call(func=ast.Attribute(value=ast.Dict() as d, attr="items")),
            ):
                items = [each for each in d.keys if each is not None]
            case _:
                continue
        if isinstance(target, ast.Tuple):
            target = target.elts[0]
            items = [each.elts[0] if isinstance(each, ast.Tuple) else each for each in items]
        texts = [text for each in items if (text := key_text(each)) is not None]
        if isinstance(target, ast.Name) and len(texts) == len(items):
            found[target.id] = texts
    return found


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


_Attributes = Iterator[tuple[str | None, Value | None]]


def _attributes_set(node: ast.AST, instances: set[str], texts: dict[str, list[str]]) -> _Attributes:
    """Yield the attributes that one statement or call sets; None for any names."""
    for target, annotation, value in _targets(node):
        for part in unpacked(target):
            match part:
                case ast.Attribute(value=ast.Name(id=owner), attr="__dict__") if owner in instances:
                    yield None, None
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in instances:
                    yield name, Value(part.lineno, annotation, value, is_of_instance=True)
                case ast.Subscript(value=entries, slice=key) if _is_dict(entries, instances):
                    yield from _entries(key, value or key, texts)
    if isinstance(node, ast.Call):
        yield from _attributes_set_by_call(node, instances, texts)


def _attributes_set_by_call(
    call: ast.Call, instances: set[str], texts: dict[str, list[str]]
) -> _Attributes:
    match call.func:
        case ast.Name(id="setattr") | ast.Attribute(attr="__setattr__"):
            if len(call.args) > 1:
                yield from _entries(call.args[-2], call.args[-1], texts)
        case ast.Attribute(value=entries, attr="setdefault") if _is_dict(entries, instances):
            yield from _entries(call.args[0], call.args[-1], texts) if call.args else ()
        case ast.Attribute(value=entries, attr="update") if _is_dict(entries, instances):
            for each in call.args:
                if isinstance(each, ast.Dict):
                    for key, value in zip(each.keys, each.values, strict=True):
                        yield from _entries(key or value, value, texts)
                else:
                    yield None, None
            for keyword in call.keywords:
                yield from _entries(ast.Constant(keyword.arg), keyword.value, texts)


def _entries(key: ast.expr, value: ast.expr, texts: dict[str, list[str]]) -> _Attributes:
    """Yield the attributes that a text or the variable of a loop names; None for any other key."""
    text = key_text(key)
    names = texts.get(key.id) if isinstance(key, ast.Name) else [text] if text else None
    if names is None:
        yield None, None
    for name in names or ():
        yield name, Value(value.lineno, None, value, is_of_instance=True)


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
