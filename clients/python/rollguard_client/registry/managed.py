"""A function whose code lives in Rollguard: what is called is the version that is in use."""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import Any

from rollguard_client.registry.loading import Call
from rollguard_client.registry.registry import Registry
from rollguard_client.requests.following import result_of


def managed(registry: Registry, tool_name: str, function: Callable[..., Any]) -> Call:
    """Return a function with this signature that calls the version in use.

    A call ends in the version in which it began.
    """

    def current() -> Call:
        loaded = registry.get(tool_name) if registry.is_started else None
        return (loaded or result_of(registry.loading(tool_name))).call

    if inspect.isasyncgenfunction(function):

        @wraps(function)
        async def iterate(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            async for item in (await registry.load(tool_name)).call(*args, **kwargs):
                yield item

        return iterate

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
