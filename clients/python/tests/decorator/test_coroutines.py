"""The decorator on coroutines, in tasks, threads and loops, and at the end of the stack."""

import asyncio
import gc
import inspect
import sys
import traceback
import warnings
import weakref
from contextlib import suppress
from typing import Any

import pytest
from telling import Told


async def test_coroutines(told: Told) -> None:
    @told.guard.tool
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        if seconds > 0:
            raise TypeError("bad")
        return "done"

    assert inspect.iscoroutinefunction(slow)
    assert await slow(0) == "done"
    with pytest.raises(TypeError):
        await slow(0.05)
    good, bad = told.of("slow")
    assert (good.success, bad.error) == (True, "TypeError: bad")
    assert (bad.duration_ms or 0) >= 49
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(slow(60), 0.01)
    assert told.of("slow")[2].error_origin == "caller"


def test_a_coroutine_that_is_thrown_away_is_no_failure_of_the_tool(told: Told) -> None:
    @told.guard.tool
    async def slow() -> None:
        await asyncio.sleep(60)

    loop = asyncio.new_event_loop()
    coroutine = slow()
    loop.call_soon(coroutine.send, None)
    loop.call_soon(loop.stop)
    loop.run_forever()
    coroutine.close()
    loop.close()
    assert told.one("slow").error_origin == "caller"


def test_a_tool_at_the_end_of_the_stack_keeps_its_result(told: Told) -> None:
    """Less than that it fails itself; publishing takes nothing from it."""

    @told.guard.tool
    def deep() -> int:
        return 7

    def at(depth: int) -> int:
        return deep() if depth == 0 else at(depth - 1)

    results = []
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        with suppress(RecursionError):
            results.append(at(depth))
    assert set(results) == {7}
    assert len(told.of("deep")) >= len(results) - 10


def test_a_coroutine_at_the_end_of_the_stack_keeps_its_result_and_its_exception(
    told: Told,
) -> None:
    @told.guard.tool
    async def deep(fails: bool) -> int:
        if fails:
            raise KeyError("deep")
        return 7

    async def at(depth: int, fails: bool) -> int:
        return await (deep(fails) if depth == 0 else at(depth - 1, fails))

    def inmost_of(depth: int, fails: bool) -> set[str]:
        """Return which functions had no room left."""
        try:
            at(depth, fails).send(None)
        except RecursionError as error:
            return {each.name for each in traceback.extract_tb(error.__traceback__)[-2:]}
        except (KeyError, StopIteration):
            return set()
        raise AssertionError

    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        for fails in (False, True):
            inmost = inmost_of(depth, fails)
            assert not {"succeed", "fail", "end"} & inmost, "the tool has ended before"
    assert told.guard._open_calls.calls == {}, "none counts as stuck later"


async def test_many_tasks_and_threads_and_loops(told: Told) -> None:
    @told.guard.tool
    async def one(number: int) -> int:
        await asyncio.sleep(0.001 * (number % 3))
        return number

    @told.guard.tool
    def two(number: int) -> int:
        return asyncio.run(one(number))

    assert await asyncio.gather(*(one(n) for n in range(20))) == list(range(20))
    assert await asyncio.gather(*(asyncio.to_thread(two, n) for n in range(5))) == list(range(5))
    assert (len(told.of("one")), len(told.of("two"))) == (25, 5)


async def test_what_returns_a_coroutine_is_published_when_that_ends(told: Told) -> None:
    async def fail() -> None:
        raise TypeError("late")

    def start() -> Any:
        return fail()

    coroutine = told.guard.tool("lambda")(start)()
    assert told.of("lambda") == []
    with pytest.raises(TypeError):
        await coroutine
    assert told.one("lambda").error == "TypeError: late"


async def test_a_coroutine_that_is_never_begun_leaves_nothing_behind(told: Told) -> None:
    async def search() -> None:
        raise AssertionError

    def begin() -> Any:
        return search()

    tool = told.guard.tool("lambda")(begin)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tool().close()
        task = asyncio.ensure_future(tool())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        del task
        gc.collect()
        assert said == [], "Python says nothing of a coroutine that is closed"
        coroutine = tool()
        assert coroutine.__name__ == "search"
        del coroutine
        gc.collect()
    assert ["search' was never awaited" in str(each.message) for each in said] == [True]
    assert told.of("lambda") == []
    assert told.guard._open_calls.calls == {}


async def test_a_task_that_outlives_its_call_keeps_no_exception(told: Told) -> None:
    """The context of the task has the call in which it was made."""
    raised: list[Any] = []

    class OwnError(Exception):
        pass

    @told.guard.tool
    async def search(begins: bool) -> Any:
        if begins:
            return asyncio.ensure_future(work())
        error = OwnError()
        raised.append(weakref.ref(error))
        raise error

    async def work() -> bool:
        await asyncio.sleep(0)
        with suppress(OwnError):
            await search(False)
        gc.collect()
        return raised[0]() is None

    assert await (await search(True))
    assert [each.error_origin for each in told.of("search")] == [None, None]
