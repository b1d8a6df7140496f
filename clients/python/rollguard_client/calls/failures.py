"""What is published of an exception: its text, its class, and whose failure it is."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, get_args

from rollguard_client.errors import Misconfigured
from rollguard_client.messages.execution import ErrorOrigin
from rollguard_client.messages.fields import error_text
from rollguard_client.signals import is_of_a_signal_handler

OriginOf = Callable[[BaseException], ErrorOrigin | None]
Origins = OriginOf | Mapping[type[BaseException], ErrorOrigin] | ErrorOrigin | None
_CANCELLATIONS: Final = frozenset(
    {"CancelledError", "Cancelled", "GeneratorExit", "KeyboardInterrupt"}
)
"""By name, because there is one in asyncio and one in Trio."""
_PAUSES: Final = frozenset(
    {
        "langgraph.errors.GraphBubbleUp",
        "pydantic_ai.exceptions.ApprovalRequired",
        "pydantic_ai.exceptions.CallDeferred",
    }
)
"""Exceptions by which a tool asks its framework to pause, for example for a person's answer."""
_LEAVES: Final = 20
_LEAF_CHARACTERS: Final = 200
_DEPTH: Final = 5


class ToolFailed(Exception):
    """A tool in another process has failed: it raised, died or took too long.

    ``error_type`` is the class name of the exception there, and the text is ``ClassName: message``.
    """

    def __init__(self, text: str, error_type: str) -> None:
        super().__init__(text)
        self.error_type = error_type


class NotJson(TypeError):
    """Arguments that cannot travel to the process of a tool. That is the caller's failure."""


class Failure(NamedTuple):
    """What is published of a failure."""

    error: str | None
    error_type: str | None
    error_origin: ErrorOrigin | None


def failure_of(error: BaseException, origin: ErrorOrigin | None = None) -> Failure:
    """Return what is published of an exception."""
    return Failure(text_of(error), error_text(class_text(error)), origin)


def is_cancelled(error: BaseException) -> bool:
    """Return whether the call was ended or interrupted: the tool has not failed.

    So it is with a group of nothing else: Trio makes one of cancellations in a nursery.
    """
    leaves = getattr(error, "exceptions", None)
    if isinstance(leaves, tuple) and leaves:
        return all(isinstance(each, BaseException) and is_cancelled(each) for each in leaves)
    kinds = type(error).__mro__
    if isinstance(error, Exception):
        return any(f"{each.__module__}.{each.__name__}" in _PAUSES for each in kinds)
    return any(each.__name__ in _CANCELLATIONS for each in kinds)


def class_text(error: BaseException) -> str:
    """Return the class with its module; without it for a class of Python's own."""
    if isinstance(error, ToolFailed):
        return error.error_type
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def text_of(error: BaseException) -> str:
    """Return class and message in one text, as the last line of a traceback has them.

    Of an exception group the text has the classes of its leaves, because the server looks for
    signature errors among them.
    """
    if isinstance(error, ToolFailed):
        return error_text(_message(error))
    if isinstance(getattr(error, "exceptions", None), tuple):
        return error_text(_group_text(error, _DEPTH))
    name, message = type(error).__qualname__, _message(error)
    return error_text(f"{name}: {message}" if message else name)


def _group_text(error: BaseException, depth: int) -> str:
    leaves = getattr(error, "exceptions", None)
    if not isinstance(leaves, tuple) or not depth:
        return f"{type(error).__name__}({_message(error)[:_LEAF_CHARACTERS]!r})"
    inner = ", ".join(_group_text(each, depth - 1) for each in leaves[:_LEAVES])
    message = getattr(error, "message", "")
    return f"{type(error).__name__}({str(message)[:_LEAF_CHARACTERS]!r}, [{inner}])"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as fault:
        if is_of_a_signal_handler(fault):
            raise
        return "an exception that has no text"


def origin_of_errors(origin: Origins) -> OriginOf | None:
    """Return a function that says whose failure an exception is. Raises Misconfigured.

    ``origin`` may be such a function, one origin for all, or exceptions with their origins: the
    first one whose class it is decides.
    """
    if origin is None:
        return None
    if isinstance(origin, str):
        _require_origin(origin)
        return lambda _error: origin
    if isinstance(origin, Mapping):
        pairs = tuple(origin.items())
        for kind, each in pairs:
            _require_origin(each)
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise Misconfigured(f"origin: {kind!r} is no class of exceptions")

        def of_class(error: BaseException) -> ErrorOrigin | None:
            return next((each for kind, each in pairs if isinstance(error, kind)), None)

        return of_class
    if not callable(origin) or inspect.iscoroutinefunction(origin):
        raise Misconfigured(
            "origin: must be a function (no coroutine), a mapping, or one of the origins"
        )
    return origin


def _require_origin(origin: Any) -> None:
    if origin not in get_args(ErrorOrigin):
        words = ", ".join(get_args(ErrorOrigin))
        raise Misconfigured(f"origin: {origin!r} is none of {words}")
