"""The child process that runs generated pairs: for each line of JSON it prints one.

A question is ``[old, new, calls, needed]``. The answer is a list of the calls that worked on the
old code and no longer work on the new one, each with what happened. It is null if either code
cannot be run, or if ``needed`` does not work on the old one.
"""

import abc
import collections
import collections.abc
import enum
import inspect
import json
import sys
import warnings
from types import ModuleType
from typing import Any, Final


def main() -> None:
    """Answer questions until stdin ends."""
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # what the generated code prints is no answer
    for line in sys.stdin:
        print(json.dumps(_broken(*json.loads(line))), file=answers, flush=True)


def _broken(old: str, new: str, calls: list[str], needed: str) -> list[list[str]] | None:
    try:
        before, after = _module(old), _module(new)
        eval(needed, _SEEN | {"m": before})
    except Exception:
        return None
    broken = []
    for call in calls:
        code = compile(call, "<call>", "eval", dont_inherit=True)
        was, result = _kind(code, before)
        if was.startswith("raises"):
            continue
        now, new_result = _kind(code, after)
        if was != now:
            broken.append([call, was, now])
        elif type(result) is type(new_result) is dict and _arrives_elsewhere(result, new_result):
            broken.append([call, str(result), str(new_result)])
    return broken


def _places(arguments: dict[str, Any]) -> dict[Any, str]:
    """Return under which name each argument arrived: those of calls are numbers from 10 on."""
    places: dict[Any, str] = {}
    for name, value in arguments.items():
        if isinstance(value, tuple):
            places |= dict.fromkeys(value, "*")
        elif isinstance(value, dict):
            places |= dict.fromkeys(value.values(), "**")
        elif isinstance(value, int):
            places[value] = name
    return {value: name for value, name in places.items() if isinstance(value, int) and value >= 10}


def _arrives_elsewhere(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether an argument arrives as another one than before; a new name is none."""
    places = _places(new)
    for value, was in _places(old).items():
        now = places.get(value, was)
        is_another = was in new or now in old or was == "*"
        if was not in (now, "**") and is_another:
            return True
    return False


def _module(code: str) -> ModuleType:
    module = ModuleType("m")
    sys.modules["m"] = module
    exec(compile(code, "<m>", "exec", dont_inherit=True), vars(module))
    return module


def _kind(code: Any, module: ModuleType) -> tuple[str, Any]:
    """Return of what kind the result of an expression is, or what it raises; and the result."""
    try:
        result = eval(code, _SEEN | {"m": module})
    except Exception as error:
        return f"raises {type(error).__name__}: {error}", None
    return _kind_of(result), _first_value(result)


def _kind_of(result: Any) -> str:
    """Return of what kind a result is, as far as a caller treats it in another way."""
    if inspect.isroutine(result):
        return "callable"
    name = type(result).__name__
    return name if name in _KINDS else "value"


def _first_value(result: Any) -> Any:
    """Return what a coroutine returns, a generator yields first, or a context manager gives."""
    if hasattr(result, "__enter__"):
        return result.__enter__()
    if inspect.isasyncgen(result):
        result = _first_of(result)
    if not hasattr(result, "send"):
        return result
    try:
        return result.send(None)
    except StopIteration as end:
        return end.value


async def _first_of(items: Any) -> Any:
    return await anext(items)


def fields_of(thing: Any) -> dict[str, Any]:
    """Return the attributes of an instance of any class with fields."""
    if isinstance(thing, tuple):
        return dict(thing._asdict())  # type: ignore[attr-defined]
    if hasattr(thing, "__dict__"):
        return dict(vars(thing))
    slots = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
    return {name: getattr(thing, name) for name in slots if name.isidentifier()}


_KINDS: Final = frozenset({"coroutine", "generator", "async_generator", "_GeneratorContextManager"})
#: What the expressions use.
_SEEN: Final = {"abc": abc, "collections": collections, "enum": enum, "fields_of": fields_of}


if __name__ == "__main__":
    main()
