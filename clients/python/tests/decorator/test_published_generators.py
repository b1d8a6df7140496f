"""Generators beneath the decorator: which executions are published of them."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from telling import Told


def test_generators(told: Told) -> None:
    @told.guard.tool
    def talk(limit: int) -> Generator[Any, Any, list[Any]]:
        heard: list[Any] = []
        for number in range(limit):
            with suppress(ValueError):
                heard.append((yield number))
        if limit == 3:
            raise KeyError("three")
        return heard

    assert inspect.isgeneratorfunction(talk)
    conversation: Any = talk(4)
    assert told.of("talk") == []
    assert [next(conversation), conversation.send("a"), conversation.throw(ValueError("b"))] == [
        0,
        1,
        2,
    ]
    assert next(conversation) == 3
    with pytest.raises(StopIteration) as stop:
        conversation.send("c")
    assert stop.value.value == ["a", None, "c"]
    assert told.one("talk").success
    with pytest.raises(KeyError):
        list(talk(3))
    assert [each.success for each in told.of("talk")] == [True, False]


def test_a_generator_that_is_left_has_succeeded_and_is_closed(told: Told) -> None:
    closed = []

    @told.guard.tool
    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(True)

    for item in (generator := items()):
        if item == 2:
            break
    generator.close()  # type: ignore[attr-defined]
    assert closed == [True]
    assert told.one("items").success


def test_the_time_between_the_items_of_a_generator_is_not_the_tools(told: Told) -> None:
    @told.guard.tool
    def items() -> Iterator[int]:
        yield from range(2)

    begin, slept_s = time.perf_counter(), 0.0
    for _ in items():
        falls_asleep = time.perf_counter()
        time.sleep(0.1)
        slept_s += time.perf_counter() - falls_asleep
    elsewhere_s = time.perf_counter() - begin - slept_s
    assert 0 <= (told.one("items").duration_ms or 0) <= elsewhere_s * 1_000


async def test_async_generators(told: Told) -> None:
    closed = []

    @told.guard.tool
    async def items(limit: int) -> AsyncIterator[Any]:
        try:
            for number in range(limit):
                await asyncio.sleep(0)
                yield number
            if limit == 3:
                raise KeyError("three")
        finally:
            closed.append(limit)

    assert inspect.isasyncgenfunction(items)
    assert [each async for each in items(2)] == [0, 1]
    with pytest.raises(KeyError):
        [each async for each in items(3)]
    left: Any = items(9)
    assert await left.__anext__() == 0
    await left.aclose()
    assert closed == [2, 3, 9]
    assert [each.success for each in told.of("items")] == [True, False, True]
    thrown: Any = items(9)
    await thrown.__anext__()
    with pytest.raises(ValueError, match="from outside"):
        await thrown.athrow(ValueError("from outside"))
    assert told.of("items")[3].error == "ValueError: from outside"
