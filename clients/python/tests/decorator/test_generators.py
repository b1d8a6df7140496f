"""Generators beneath the decorator behave as they would without it."""

import asyncio
import sys
import types
import weakref
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from telling import Told

from rollguard_client.registry.managed import managed


class Item:
    pass


async def ended(source: AsyncGenerator[Any, Any]) -> Any:
    """Close a generator, and return what that raises."""
    try:
        await source.aclose()
    except RuntimeError as error:
        return str(error)


def test_no_item_is_kept_alive(told: Told) -> None:
    @told.guard.tool
    def items() -> Generator[Any, Any, None]:
        while True:
            yield Item()

    source = items()
    item = weakref.ref(next(source))
    assert item() is None
    sent = Item()
    kept = weakref.ref(sent)
    source.send(sent)
    del sent
    assert kept() is None


async def test_no_item_of_an_async_generator_is_kept_alive(told: Told) -> None:
    @told.guard.tool
    async def items() -> AsyncGenerator[Any, Any]:
        while True:
            yield Item()

    source = items()
    item = weakref.ref(await source.__anext__())
    assert item() is None
    await source.aclose()


def test_what_a_generator_answers_to_its_end_is_passed_on(told: Told) -> None:
    def answers() -> Generator[int, Any, int]:
        try:
            yield 1
        except GeneratorExit:
            return 7
        return 8

    source = told.guard.tool(answers)()
    next(source)
    with pytest.raises(StopIteration) as end:
        source.throw(GeneratorExit())
    assert end.value.value == 7
    assert told.one("answers").success


def test_a_generator_that_ignores_its_end_has_failed(told: Told) -> None:
    @told.guard.tool
    def ignores() -> Generator[int, Any, None]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    source = ignores()
    next(source)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        source.close()
    assert told.one("ignores").error == "RuntimeError: generator ignored GeneratorExit"


async def test_an_async_generator_that_ignores_its_end_has_failed(told: Told) -> None:
    @told.guard.tool
    async def ignores() -> AsyncGenerator[int, Any]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    source = ignores()
    await source.__anext__()
    assert await ended(source) == "async generator ignored GeneratorExit"
    assert told.one("ignores").error == "RuntimeError: async generator ignored GeneratorExit"


def test_async_generators_that_are_left_are_closed_once_at_the_end_of_the_loop(
    told: Told,
) -> None:
    """A loop closes all that it knows, side by side."""
    left, faults = [], []

    @told.guard.tool
    async def items() -> AsyncGenerator[int, Any]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0.001)

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        for _ in range(20):
            left.append(items())
            await left[-1].__anext__()

    hooks = sys.get_asyncgen_hooks()
    asyncio.run(leave())
    assert faults == []
    assert [each.success for each in told.of("items")] == [True] * 20
    assert sys.get_asyncgen_hooks() == hooks


def test_a_generator_that_can_be_awaited_still_can(told: Told) -> None:
    @told.guard.tool
    @types.coroutine
    def nap() -> Generator[None, None, int]:
        yield
        return 5

    async def sleep() -> int:
        return await nap()

    assert asyncio.run(sleep()) == 5
    assert told.one("nap").success


async def test_a_managed_async_generator_gets_what_is_sent_and_thrown() -> None:
    said: list[Any] = []

    async def execute() -> AsyncGenerator[int, Any]:
        try:
            said.append((yield 1))
            try:
                yield 2
            except KeyError:
                said.append("thrown")
                yield 3
        finally:
            said.append("closed")

    class Loaded:
        call = staticmethod(execute)

    class Registry:
        async def load(self, tool_name: str) -> Any:
            return Loaded

    async def declared() -> AsyncGenerator[int, Any]:
        yield 0

    registry: Any = Registry()
    source: Any = managed(registry, "t", declared)()
    assert await source.__anext__() == 1
    assert await source.asend("sent") == 2
    assert await source.athrow(KeyError()) == 3
    await source.aclose()
    assert said == ["sent", "thrown", "closed"]
