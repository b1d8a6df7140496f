"""The comparison of what a call returns, or of what a property is when it is read."""

from collections.abc import Iterator
from typing import Final

from policy.breaking.finding import Finding, Kind, new_finding
from policy.breaking.surface.elements import Function, Module, Result

_ASYNC: Final = frozenset({Result.COROUTINE, Result.ASYNC_CONTEXT_MANAGER})
_GENERATORS: Final = frozenset({Result.GENERATOR, Result.ASYNC_GENERATOR})
_MANAGERS: Final = frozenset({Result.CONTEXT_MANAGER, Result.ASYNC_CONTEXT_MANAGER})
_MAX_STEPS: Final = 10


def result_in(function: Function, module: Module) -> Result:
    """Return what a call returns, also if the function returns the result of another one."""
    for _ in range(_MAX_STEPS):
        other = module.members.get(function.returns_result_of or "")
        if function.result is not Result.VALUE or not isinstance(other, Function):
            break
        function = other
    return function.result


def compare_results(name: str, old: Result, new: Result, line: int) -> Iterator[Finding]:
    """Find that a result is of another kind; ``name`` is as a sentence has it, with ``()``."""
    kind = _kind(old, new)
    if kind is None:
        return
    how, was, now = _HOW[kind], _written(old, new), _written(new, old)
    if kind in ("became_async", "became_sync") and {old, new} <= _GENERATORS:
        how = "is read by 'async for'" if kind == "became_async" else "is read by 'for'"
    if kind in ("became_async", "became_sync") and {old, new} <= _MANAGERS:
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
    if old is new or (old in _MANAGERS and new is Result.VALUE):
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
    if {old, new} == _MANAGERS:
        return "became_async" if new in _ASYNC else "became_sync"
    return None


def _written(result: Result, other: Result) -> str:
    """Return how the source writes the result, so that it differs from the other one."""
    if result is Result.VALUE and other in (Result.COROUTINE,):
        return "def"
    return result.value
