"""The comparison of what a call returns, or of what a property is when it is read."""

import ast
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from policy.breaking.finding import Finding, Kind, new_finding
from policy.breaking.surface.elements import (
    Class,
    Function,
    Member,
    Module,
    Property,
    Result,
    Value,
)

_ASYNC: Final = frozenset({Result.COROUTINE, Result.ASYNC_CONTEXT_MANAGER})
_GENERATORS: Final = frozenset({Result.GENERATOR, Result.ITERATOR, Result.ASYNC_GENERATOR})
#: What a call gives that is entered by `with` or `async with`.
MANAGERS: Final = frozenset({Result.CONTEXT_MANAGER, Result.ASYNC_CONTEXT_MANAGER})
_MAX_STEPS: Final = 10


def result_in(
    this: Function | Property, module: Module, methods: Mapping[str, Member] = MappingProxyType({})
) -> Result:
    """Return what a call or a read gives, also if that is the result of another function.

    ``methods`` are the members of the class of which it is a method.
    """
    for _ in range(_MAX_STEPS):
        of = this.returns_result_of or ""
        other = methods.get(of[1:]) if of.startswith(".") else _member(of, module)
        if not isinstance(other, Function):
            break
        this = other
    return this.result


def _member(dotted: str, module: Module) -> Member | None:
    """Return the member of the module, of one of its classes, or of an instance that it has."""
    found = module.member(dotted)
    first, _, name = dotted.partition(".")
    owner = module.members.get(first)
    if found is None and isinstance(owner, Value) and isinstance(owner.value, ast.Call):
        made_by = owner.value.func
        made = module.members.get(made_by.id) if isinstance(made_by, ast.Name) else None
        found = made.members.get(name) if isinstance(made, Class) else None
    return found


#: What Python uses a special method for, and therefore gets from it in whatever way.
_PROTOCOLS: Final = {
    "__iter__": Result.ITERATOR,
    "__reversed__": Result.ITERATOR,
    "__await__": Result.ITERATOR,
    "__aiter__": Result.ASYNC_GENERATOR,
    "__anext__": Result.COROUTINE,
    "__aenter__": Result.COROUTINE,
    "__aexit__": Result.COROUTINE,
}


#: The special method of an object that is used as such a result is.
_USED_BY: Final = {
    Result.CONTEXT_MANAGER: "__enter__",
    Result.ASYNC_CONTEXT_MANAGER: "__aenter__",
    Result.GENERATOR: "__next__",
    Result.ITERATOR: "__next__",
    Result.ASYNC_GENERATOR: "__anext__",
    Result.COROUTINE: "__await__",
}


def is_used_like(made: Collection[str], result: Result) -> bool:
    """Return whether instances with these members are used as the result of a function is."""
    return _USED_BY.get(result) in made


def promised_result(name: str, function: Function, result: Result, module: Module) -> Result:
    """Return what a function promises of a result of which the source does not tell more."""
    if result is not Result.VALUE:
        return result
    made = module.member(function.returns_result_of or "")
    if isinstance(made, Class):
        likely = (Result.ITERATOR, Result.ASYNC_GENERATOR, Result.COROUTINE)
        return next((each for each in likely if is_used_like(made.members, each)), result)
    return _PROTOCOLS.get(name.rpartition(".")[2]) or function.promised or result


def are_alike(one: Result, other: Result) -> bool:
    """Return whether a caller uses both results in the same way."""
    return one is other or {one, other} == {Result.GENERATOR, Result.ITERATOR}


def compare_results(name: str, old: Result, new: Result, line: int) -> Iterator[Finding]:
    """Find that a result is of another kind; ``name`` is as a sentence has it, with ``()``."""
    kind = _kind(old, new)
    if kind is None:
        return
    how, was, now = _HOW[kind], _written(old, new), _written(new, old)
    if kind in ("became_async", "became_sync") and {old, new} <= _GENERATORS:
        how = "is read by 'async for'" if kind == "became_async" else "is read by 'for'"
    if kind in ("became_async", "became_sync") and {old, new} <= MANAGERS:
        how = "is entered by 'async with'" if kind == "became_async" else "is entered by 'with'"
    sentence = f"{name} {how}: '{was}' became '{now}'."
    yield new_finding(kind, name.removesuffix("()"), sentence, line, old=was, new=now)


_HOW: Final[dict[Kind, str]] = {
    "became_async": "has to be awaited",
    "became_sync": "can no longer be awaited",
    "became_generator": "yields its results",
    "no_longer_generator": "no longer yields its results",
}


def _kind(old: Result, new: Result) -> Kind | None:
    """Return which kind of change it is; None if what a caller does works as before.

    A function that returns a value may return a context manager.
    """
    if are_alike(old, new) or (old in MANAGERS and new is Result.VALUE):
        return None
    if {old, new} <= _GENERATORS:
        return "became_async" if new is Result.ASYNC_GENERATOR else "became_sync"
    if new in _GENERATORS:
        return "became_generator"
    if new is Result.COROUTINE:
        return "became_async"
    if old is Result.COROUTINE:
        return "became_sync"
    if old in _GENERATORS:
        return "no_longer_generator"
    if {old, new} == MANAGERS:
        return "became_async" if new in _ASYNC else "became_sync"
    return None


def entered_now(name: str, new: Result, line: int) -> Finding:
    """Return the finding that a function which returned data returns a context manager."""
    how = "async with" if new in _ASYNC else "with"
    sentence = f"{name}() is entered by '{how}': 'return' became '{new.value}'."
    return new_finding("became_generator", name, sentence, line, old="return", new=new.value)


def _written(result: Result, other: Result) -> str:
    """Return how the source writes the result, so that it differs from the other one."""
    if result is Result.VALUE and other in (Result.COROUTINE,):
        return "def"
    return result.value
