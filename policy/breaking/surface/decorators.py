"""The decorators of functions and classes: their texts, and what is known of them."""

import ast
from collections.abc import Iterable
from typing import Final

from policy.breaking.surface.elements import AnyFunction, Function
from policy.breaking.surface.expressions import expression_text
from policy.breaking.surface.resolution.names import Names

#: Decorators that change nothing for callers.
_UNNOTICED: Final = frozenset(
    f"typing.{name}" for name in ("final", "override", "no_type_check", "runtime_checkable")
)
#: Packages whose decorators make a function of a function.
_FUNCTION_MAKERS: Final = frozenset({"functools", "contextlib", "typing", "abc", "types", "atexit"})
#: Decorators that mean the same with empty parentheses.
_SAME_WHEN_CALLED: Final = frozenset(
    {"dataclasses.dataclass", "functools.lru_cache", "attr.s", "attr.define", "attrs.define"}
    | {"attr.frozen", "attrs.frozen", "attr.dataclass", "pydantic.dataclasses.dataclass"}
)
_PROPERTIES: Final = frozenset({"property", "abc.abstractproperty"})
#: Decorators that a function of the module may apply.
_APPLIED: Final = _PROPERTIES | {
    *("functools.cached_property", "staticmethod", "classmethod"),
    *("contextlib.contextmanager", "contextlib.asynccontextmanager"),
}
#: Last parts of the names of descriptors, by many libraries, that compute an attribute.
_PROPERTY_NAMES: Final = frozenset({"reify", "lazyattr", "lazy_attribute"})


def decorator_name(node: ast.expr, names: Names) -> str:
    """Return the dotted name of a decorator, without its arguments; "" if it has no name.

    A function of the module that applies one such as `property` is another name of it.
    """
    name = names.dotted(node.func if isinstance(node, ast.Call) else node) or ""
    definition = names.definition(name)
    if isinstance(definition, AnyFunction):
        match definition.body[-1]:
            case ast.Return(value=ast.Call(func=applied, args=[ast.Name()], keywords=[])):
                inner = names.dotted(applied) or ""
                return inner if inner in _APPLIED else name
    return name


def decorators_of(nodes: Iterable[ast.expr], names: Names) -> tuple[str, ...]:
    """Return the texts of the decorators that a caller may notice."""
    texts = (decorator_text(each, names) for each in nodes)
    return tuple(text for text in texts if text not in _UNNOTICED)


def decorator_text(node: ast.expr, names: Names) -> str:
    """Return a decorator as its full dotted name and its arguments, keywords in order."""
    node = names.resolved(node)
    if not isinstance(node, ast.Call):
        return names.dotted(node) or expression_text(node)
    if node.args and names.dotted(node.func) == "functools.partial":
        node = ast.Call(node.args[0], node.args[1:], node.keywords)
    name = decorator_text(node.func, names)
    arguments = [expression_text(each) for each in node.args]
    arguments += sorted(f"{k.arg or '**'}={expression_text(k.value)}" for k in node.keywords)
    text = f"{name}({', '.join(arguments)})"
    if text == "functools.lru_cache(maxsize=None)":
        return "functools.cache"
    return name if not arguments and name in _SAME_WHEN_CALLED else text


def is_property(name: str) -> bool:
    """Return whether a decorator of this name makes a property that cannot be set by itself."""
    return name in _PROPERTIES


def is_property_of_a_library(name: str) -> bool:
    """Return whether a decorator of this name makes a property that an instance may replace."""
    last = name.rpartition(".")[2].lower()
    is_like_one = last.endswith("property") or last in _PROPERTY_NAMES
    return is_like_one and not is_property(name)


def is_known_decorator(node: ast.expr, names: Names) -> bool:
    """Return whether it is known that the decorator makes a function of a function."""
    name = decorator_name(node, names)
    if name in ("staticmethod", "classmethod") or name.partition(".")[0] in _FUNCTION_MAKERS:
        return True
    return isinstance(names.bound(name), Function)
