"""A function whose code lives in Rollguard: what is called is the version that is in use."""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import Any

from rollguard_client.calls.wrappers import MARK, first_step
from rollguard_client.registry.loading import Call
from rollguard_client.registry.registry import Registry
from rollguard_client.requests.following import result_of


def managed(registry: Registry, tool_name: str, function: Callable[..., Any]) -> Call:
    """Return a function with this signature that calls the version in use.

    A call ends in the version in which it began.
    """
    found = _managed(registry, tool_name, function)
    setattr(found, MARK, True)  # the decorator of the version publishes the calls
    return found


def _managed(registry: Registry, tool_name: str, function: Callable[..., Any]) -> Call:

    def current() -> Call:
        loaded = registry.get(tool_name) if registry.is_started else None
        return (loaded or result_of(registry.loading(tool_name))).call

    if inspect.isasyncgenfunction(function):
        return _iterating(registry, tool_name, function)

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_later(*args: Any, **kwargs: Any) -> Any:
            result = (await registry.load(tool_name)).call(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return call_later

    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from current()(*args, **kwargs))

        return generate

    @wraps(function)
    def call_now(*args: Any, **kwargs: Any) -> Any:
        return current()(*args, **kwargs)

    return call_now


def _iterating(registry: Registry, tool_name: str, function: Callable[..., Any]) -> Call:
    @wraps(function)
    async def iterate(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        source = (await registry.load(tool_name)).call(*args, **kwargs)
        if not isinstance(source, AsyncGenerator):
            async for item in source:
                yield item
            return
        held: list[Any] = [first_step(source)]
        while True:
            try:
                held.append(await held.pop())
            except StopAsyncIteration:
                return
            try:
                held.append(source.asend((yield held.pop())))
            except BaseException as thrown:
                held.append(source.athrow(thrown))

    return iterate
