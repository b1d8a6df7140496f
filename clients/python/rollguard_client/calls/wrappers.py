"""A function with the same signature that publishes each of its calls, for each kind of function.

What the tool returns, yields and raises passes through as it is.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from types import CoroutineType
from typing import Any, Final

from rollguard_client.calls.call import Call
from rollguard_client.calls.tool import Tool

MARK: Final = "__rollguard_tool__"
"""The attribute by which a wrapped function is known."""


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
            tool.suspend(call)
            return _finished(tool, call, result)
        try:
            succeed(call, result)
        except RecursionError:
            return result  # there is less room left on the stack than it takes to publish
        return result

    return call_tool


def _fail(tool: Tool, call: Call, error: BaseException) -> None:
    try:
        tool.fail(call, error)
    except RecursionError:
        return


async def _finished(tool: Tool, call: Call, coroutine: Coroutine[Any, Any, Any]) -> Any:
    tool.resume(call)
    try:
        result = await coroutine
    except BaseException as error:
        tool.fail(call, error)
        raise
    tool.succeed(call, result)
    return result


def _coroutine(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call_tool(*args: Any, **kwargs: Any) -> Any:
        call = tool.begin()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            tool.fail(call, error)
            raise
        tool.succeed(call, result)
        return result

    return call_tool


def _generator(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call_tool(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = tool.begin()
        try:
            source = function(*args, **kwargs)
            step: Callable[[Any], Any] = source.send
            given: Any = None
            while True:
                item = step(given)
                tool.suspend(call)
                try:
                    step, given = source.send, (yield item)
                except GeneratorExit:
                    tool.resume(call)
                    source.close()
                    raise
                except BaseException as thrown:
                    step, given = source.throw, thrown
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

    return call_tool


def _async_generator(tool: Tool, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call_tool(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = tool.begin()
        try:
            source = function(*args, **kwargs)
            step: Callable[[Any], Any] = source.asend
            given: Any = None
            while True:
                item = await step(given)
                tool.suspend(call)
                try:
                    step, given = source.asend, (yield item)
                except GeneratorExit:
                    tool.resume(call)
                    await source.aclose()
                    raise
                except BaseException as thrown:
                    step, given = source.athrow, thrown
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
