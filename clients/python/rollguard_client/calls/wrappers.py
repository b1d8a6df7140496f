"""A function with the same signature that publishes each of its calls, for each kind of function.

What the tool returns, yields and raises passes through as it is.
"""

import inspect
import sys
import types
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from functools import wraps
from types import CoroutineType
from typing import Any, Final

from rollguard_client.calls.call import Call
from rollguard_client.calls.tool import Tool

MARK: Final = "__rollguard_tool__"
"""The attribute by which a wrapped function is known."""
_STANDING: "Final[set[_Stands]]" = set()


def wrapped(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its calls published."""
    kind = function if inspect.isroutine(function) else type(function).__call__
    for is_of_kind, wrap in (
        (inspect.isasyncgenfunction, _async_generator),
        (inspect.iscoroutinefunction, _coroutine),
        (inspect.isgeneratorfunction, _generator),
    ):
        if is_of_kind(function) or is_of_kind(kind):
            wrapper: Callable[..., Any] = wrap(tool, function)
            break
    else:
        wrapper = _function(tool, function)
    setattr(wrapper, MARK, tool)
    return wrapper


def _function(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    begin, succeed = tool.begin, tool.succeed

    @wraps(function)
    def call_tool(*args: Any, **kwargs: Any) -> Any:
        call = begin()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _fail(tool, call, error)
            raise
        if type(result) is CoroutineType:  # it has done nothing yet
            tool.put_off(call)
            return _later(tool, call, result)
        try:
            succeed(call, result)
        except RecursionError:
            return result  # there is less room left on the stack than it takes to publish
        except BaseException:  # the handler of a signal has raised it; the tool has ended before
            succeed(call, result)
            raise
        return result

    return call_tool


def _fail(tool: Tool, call: Call, error: BaseException) -> None:
    try:
        tool.fail(call, error)
    except RecursionError:
        return


def _later(tool: Tool, call: Call, coroutine: Any) -> Any:
    """Return a coroutine that stands for another one, which is closed if nobody begins it.

    Python then says once, by the name of the tool, that nobody has awaited it.
    """
    finished: Any = _finished(tool, call, coroutine)
    finished.__name__, finished.__qualname__ = coroutine.__name__, coroutine.__qualname__
    stands = _Stands(finished, _close_unused)
    stands.coroutine = coroutine
    _STANDING.add(stands)
    return finished


class _Stands(weakref.ref[Any]):
    """A coroutine that stands for another one; ``weakref.finalize`` takes three times as long."""

    __slots__ = ("coroutine",)
    coroutine: Any


def _close_unused(stands: _Stands) -> None:
    _STANDING.discard(stands)
    coroutine = stands.coroutine
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        coroutine.close()


async def _finished(tool: Tool, call: Call, coroutine: Coroutine[Any, Any, Any]) -> Any:
    tool.take_up(call)
    try:
        result = await coroutine
    except BaseException as error:
        tool.fail(call, error)
        raise
    tool.succeed(call, result)
    return result


def _coroutine(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    begin, succeed = tool.begin, tool.succeed

    @wraps(function)
    async def call_tool(*args: Any, **kwargs: Any) -> Any:
        call = begin()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            tool.fail(call, error)
            raise
        succeed(call, result)
        return result

    return call_tool


def _generator(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call_tool(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = tool.begin()
        try:
            source = function(*args, **kwargs)
            step: Callable[[Any], Any] = source.send
            held: list[Any] = [None]  # what is taken out of it is not kept alive here
            is_closed = False
            while True:
                held.append(step(held.pop()))
                if is_closed:
                    tool.fail(call, RuntimeError("generator ignored GeneratorExit"))
                tool.suspend(call)
                try:
                    step = source.send
                    held.append((yield held.pop()))
                except BaseException as thrown:
                    step, is_closed = source.throw, isinstance(thrown, GeneratorExit)
                    held.append(thrown)
                tool.resume(call)
        except StopIteration as stop:
            tool.succeed(call, stop.value)
            return stop.value
        except GeneratorExit:  # whoever uses it has enough
            tool.succeed(call, None)
            raise
        except BaseException as error:
            tool.fail(call, error)
            raise

    if getattr(getattr(function, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE:
        types.coroutine(call_tool)  # changes it: its generators may be awaited
    return call_tool


def _async_generator(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call_tool(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = tool.begin()
        try:
            source = function(*args, **kwargs)
            held: list[Any] = [first_step(source)]
            is_closed = False
            while True:
                held.append(await held.pop())
                if is_closed:
                    tool.fail(call, RuntimeError("async generator ignored GeneratorExit"))
                tool.suspend(call)
                try:
                    held.append(source.asend((yield held.pop())))
                except BaseException as thrown:
                    is_closed = isinstance(thrown, GeneratorExit)
                    held.append(source.athrow(thrown))
                tool.resume(call)
        except StopAsyncIteration:
            tool.succeed(call, None)
        except GeneratorExit:
            tool.succeed(call, None)
            raise
        except BaseException as error:
            tool.fail(call, error)
            raise

    return call_tool


def first_step(source: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Return the first step of an async generator within another one, hidden from the event loop.

    A loop closes at its end all those that it knows, side by side. This one is closed by the other.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, _leave)
    try:
        return source.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave(_source: AsyncGenerator[Any, Any]) -> None:
    """Do nothing with a generator that was left, as a loop does that was closed."""
