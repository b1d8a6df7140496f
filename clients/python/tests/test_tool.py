"""The decorator: what is published of each call, and that nothing else changes."""

import asyncio
import functools
import gc
import inspect
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent import futures
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, cast
from unittest.mock import Mock

import pytest
from telling import Told
from waiting import wait_until

from rollguard_client import ChildLoader, Misconfigured, Rejected, Rollguard
from rollguard_client.hooks.hook_tools import HookTools, succeed
from rollguard_client.publishing.publisher import Publisher


def same(value: Any) -> Any:
    return value


async def later(value: Any) -> Any:
    return value


class Late:
    async def load(self, version: Any) -> Any:
        """Load as the server's loaders do; the client calls its own in a thread."""


def test_a_function_is_published_and_left_as_it_is(told: Told) -> None:
    def add(a: int, *, b: "int" = 2) -> list[int]:
        """Add."""
        return [a + b]

    tool = told.guard.tool(add)
    made = [1]
    assert tool(1, b=4) == [5]
    assert told.guard.tool("same")(lambda: made)() is made
    assert inspect.signature(tool) == inspect.signature(add)
    assert inspect.get_annotations(tool) == inspect.get_annotations(add)
    assert (tool.__name__, tool.__doc__, tool.__qualname__) == (
        add.__name__,
        add.__doc__,
        add.__qualname__,
    )
    execution = told.one("add")
    assert (execution.success, execution.error, execution.error_type) == (True, None, None)
    assert execution.duration_ms is not None
    assert 0 <= execution.duration_ms < 60_000
    assert abs(execution.executed_at.timestamp() - time.time()) < 60


@pytest.mark.parametrize(
    ("module", "name"),
    [("langgraph.errors", "GraphBubbleUp"), ("pydantic_ai.exceptions", "CallDeferred")],
)
def test_a_tool_that_waits_for_a_person_has_not_failed(told: Told, module: str, name: str) -> None:
    pause = type(name, (Exception,), {"__module__": module})
    paused = type("Interrupted", (pause,), {"__module__": "of.the.engine"})

    @told.guard.tool
    def ask_person() -> None:
        raise paused

    with pytest.raises(paused):
        ask_person()
    assert told.one("ask_person").error_origin == "caller"


def test_an_exception_passes_and_is_published(told: Told) -> None:
    error = KeyError("no")

    @told.guard.tool
    def failing() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        failing()
    assert raised.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    execution = told.one("failing")
    assert not execution.success
    assert (execution.error, execution.error_type) == ("KeyError: 'no'", "KeyError")
    assert execution.error_origin is None


class OfModuleError(Exception):
    class InnerError(Exception):
        pass


class SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError("none")


@pytest.mark.parametrize(
    ("error", "text", "kind"),
    [
        (TypeError("a\0b\ud800"), "TypeError: a\u2400b\ufffd", "TypeError"),
        (TypeError(), "TypeError", "TypeError"),
        (OfModuleError("x"), "OfModuleError: x", f"{__name__}.OfModuleError"),
        (
            OfModuleError.InnerError("x"),
            "OfModuleError.InnerError: x",
            f"{__name__}.OfModuleError.InnerError",
        ),
        (SilentError(), "SilentError: an exception that has no text", f"{__name__}.SilentError"),
        (SystemExit(2), "SystemExit: 2", "SystemExit"),
    ],
)
def test_the_text_and_the_class_of_an_exception(
    told: Told, error: BaseException, text: str, kind: str
) -> None:
    @told.guard.tool
    def failing() -> None:
        raise error

    with pytest.raises(type(error)):
        failing()
    execution = told.one("failing")
    assert (execution.error, execution.error_type, execution.error_origin) == (text, kind, None)


def test_a_long_text_is_cut(told: Told) -> None:
    @told.guard.tool
    def failing() -> None:
        raise ValueError("é" * 10_000_000)

    with pytest.raises(ValueError, match="é"):
        failing()
    assert len((told.one("failing").error or "").encode()) <= 8_192


class StoppedError(asyncio.CancelledError):
    pass


def cancelled_nursery() -> Any:
    """Return what Trio raises if everything in a nursery was cancelled."""
    cancelled = type("Cancelled", (BaseException,), {"__module__": "trio"})
    group = type("BaseExceptionGroup", (BaseException,), {"__module__": "builtins"})
    inner: Any = group()
    outer: Any = group()
    inner.exceptions, outer.exceptions = (cancelled(),), (cancelled(), inner)
    return outer


@pytest.mark.parametrize(
    "kind", [asyncio.CancelledError, KeyboardInterrupt, StoppedError, cancelled_nursery]
)
def test_a_cancelled_call_is_no_failure_of_the_tool(
    told: Told, kind: Callable[[], BaseException]
) -> None:
    error = kind()

    @told.guard.tool
    def stopped() -> None:
        raise error

    with pytest.raises(type(error)):
        stopped()
    assert (told.one("stopped").success, told.one("stopped").error_origin) == (False, "caller")


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


def test_a_cancelled_future_within_a_tool_is_its_failure(told: Told) -> None:
    @told.guard.tool
    def waits() -> None:
        raise futures.CancelledError

    with pytest.raises(futures.CancelledError):
        waits()
    assert told.one("waits").error_origin is None


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


def test_methods(told: Told) -> None:
    class Box:
        held = 1

        @told.guard.tool
        def own(self, more: int) -> int:
            return self.held + more

        @told.guard.tool
        @classmethod
        def of_class(cls) -> int:
            return cls.held

        @staticmethod
        @told.guard.tool
        def alone(x: int) -> int:
            return x

        @told.guard.tool
        @staticmethod
        def alone_too(x: int) -> int:
            return x

    assert (Box().own(2), Box.of_class(), Box.alone(3), Box.alone_too(4)) == (3, 1, 3, 4)
    assert [len(told.of(name)) for name in ("own", "of_class", "alone", "alone_too")] == [1] * 4
    assert list(inspect.signature(Box().own).parameters) == ["more"]


def test_partials_and_objects(told: Told) -> None:
    class Box:
        async def __call__(self) -> int:
            return 7

    tool = told.guard.tool(functools.partial(divmod, 7))
    assert tool(2) == (3, 1)
    assert told.one("divmod").success
    call: Any = told.guard.tool("object")(Box())
    assert asyncio.run(call()) == 7
    assert told.one("object").success


async def test_what_a_loader_returns_must_be_a_function(told: Told) -> None:
    class Forgets:
        def load(self, version: Any) -> Any:
            """Forget to return what is called."""

    told.guard.managed("t", loader=Forgets())(same)
    with pytest.raises(TypeError, match="the loader has returned a NoneType, no function"):
        await told.guard.registry._load(Mock(tool_name="t"))


def test_a_mock_may_be_a_tool(told: Told) -> None:
    assert told.guard.tool("mock")(Mock(return_value=7))(1) == 7
    assert told.one("mock").success


def test_nested_and_recursive_calls_are_each_published(told: Told) -> None:
    @told.guard.tool
    def inner(n: int) -> int:
        return n

    @told.guard.tool
    def factorial(n: int) -> int:
        return 1 if n < 2 else inner(n) * factorial(n - 1)

    assert factorial(4) == 24
    assert (len(told.of("factorial")), len(told.of("inner"))) == (4, 3)


def test_a_failure_that_passes_through_a_recursion_counts_once(told: Told) -> None:
    @told.guard.tool
    def between(n: int) -> None:
        down(n - 1)

    @told.guard.tool
    def down(n: int) -> None:
        if n == 0:
            raise KeyError("bottom")
        between(n)

    for _ in range(2):
        with pytest.raises(KeyError):
            down(3)
    told_of = [each.error_origin for each in told.of("down")]
    assert told_of == [None, "environment", "environment", "environment"] * 2
    assert all(not each.success for each in told.of("down"))


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


def test_the_same_exception_object_counts_each_time_it_is_raised(told: Told) -> None:
    error = KeyError("one object")

    @told.guard.tool
    def failing() -> None:
        raise error

    for _ in range(3):
        with pytest.raises(KeyError):
            failing()
    assert [each.error_origin for each in told.of("failing")] == [None] * 3


def test_results_that_are_errors(told: Told) -> None:
    tool = told.guard.tool("text", failed=lambda result: result.startswith("Error"))(same)
    assert [tool("Error: no"), tool("fine")] == ["Error: no", "fine"]
    bad, good = told.of("text")
    assert (bad.success, bad.error, good.success, good.error) == (False, "Error: no", True, None)
    words = told.guard.tool("words", failed=lambda result: result["why"])(same)
    words({"why": "TypeError: odd"})
    words({"why": None})
    words({"why": True})
    assert [(each.success, each.error) for each in told.of("words")] == [
        (False, "TypeError: odd"),
        (True, None),
        (False, "the result is an error"),
    ]
    wrong = told.guard.tool("wrong", failed=lambda result: 1 / 0)(same)
    assert wrong(7) == 7
    assert told.one("wrong").success


def test_origins(told: Told) -> None:
    def failing(error: Exception) -> None:
        raise error

    ways: dict[str, Any] = {
        "mapping": {OSError: "environment", LookupError: "caller"},
        "function": lambda error: "environment" if isinstance(error, OSError) else "caller",
        "word": "environment",
        "wrong": lambda error: "nobody",
        "raising": lambda error: 1 / 0,
    }
    for name, origin in ways.items():
        tool = told.guard.tool(name, origin=origin)(failing)
        for error in (TimeoutError("t"), KeyError("k")):
            with pytest.raises(type(error)):
                tool(error)
    assert {name: [each.error_origin for each in told.of(name)] for name in ways} == {
        "mapping": ["environment", "caller"],
        "function": ["environment", "caller"],
        "word": ["environment", "environment"],
        "wrong": [None, None],
        "raising": [None, None],
    }


def test_sessions_and_versions(told: Told) -> None:
    session: ContextVar[str] = ContextVar("session")
    current = [3]
    tool = told.guard.tool("t", session=session.get, version=lambda: current[0])(current.append)
    tool(5)
    session.set("s" * 300)
    current[0] = 4
    tool(6)
    told.guard.tool("t", session="fixed", version=7)(same)(1)
    told.guard.tool("t", version=lambda: cast("int", "no"))(same)(1)
    assert [(each.session_id, each.version_id) for each in told.of("t")] == [
        (None, 3),
        ("s" * 255, 4),
        ("fixed", 7),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("wrap", "kind", "said"),
    [
        (lambda guard: guard.tool(7), Misconfigured, "7 is no function"),
        (lambda guard: guard.tool(int), Misconfigured, "is no function"),
        (lambda guard: guard.tool("")(len), Rejected, "tool_name: 0 characters"),
        (lambda guard: guard.tool("a\0")(len), Rejected, "tool_name: NUL"),
        (lambda guard: guard.tool("x" * 256)(len), Rejected, "tool_name: 256"),
        (lambda guard: guard.tool(guard.tool(lambda: 1)), Misconfigured, "a tool already"),
        (lambda guard: guard.tool("t", failed=7)(len), Misconfigured, "failed: 7 is no function"),
        (lambda guard: guard.tool("t", origin="me")(len), Misconfigured, "origin: 'me' is none of"),
        (lambda guard: guard.tool("t", origin={int: "tool"})(len), Misconfigured, "no class of"),
        (lambda guard: guard.tool("t", version="3")(len), Misconfigured, "version: '3' is no id"),
        (lambda guard: guard.tool("t", version=0)(len), Misconfigured, "version: 0 is no id"),
        (lambda guard: guard.tool("t", failed=later)(len), Misconfigured, "failed: .* coroutine"),
        (lambda guard: guard.tool("t", origin=later)(len), Misconfigured, "origin: .* coroutine"),
        (lambda guard: guard.tool("t", session=later)(len), Misconfigured, "session: .* coroutine"),
        (lambda guard: guard.tool("t", version=later)(len), Misconfigured, "version: .* coroutine"),
        (lambda guard: guard.tool(guard.managed("m")(len)), Misconfigured, "a tool already"),
        (lambda guard: guard.managed(len), Rejected, "tool_name: .* is no text"),
        (lambda guard: guard.managed("m", entry="a.b")(len), Misconfigured, "entry: 'a.b' is no"),
        (
            lambda guard: guard.managed("m", loader=ChildLoader)(len),
            Misconfigured,
            "loader: .* load",
        ),
        (
            lambda guard: guard.managed("m", loader=Late())(len),
            Misconfigured,
            "loader: .* coroutine",
        ),
        (lambda guard: guard.manage(["a", "b"]), Misconfigured, r"tools: \['a', 'b'\] is no name"),
        (lambda guard: ChildLoader(limit_s=0), Misconfigured, "limit_s: 0 is no number of seconds"),
        (lambda guard: guard.blocking.rollback("t", 3, 5), Rejected, "reason: a text is expected"),
        (
            lambda guard: Rollguard(cast("Any", "kafka:9092")),
            Misconfigured,
            "settings: str is no Settings",
        ),
    ],
)
def test_wrong_arguments_are_named(
    told: Told, wrap: Callable[[Rollguard], Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        wrap(told.guard)


def test_a_call_that_never_ends_is_published_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(stuck_after_s=0.2)
    monkeypatch.setattr(Publisher, "put", lambda _self, waiting: told._put.append(waiting))
    go_on = threading.Event()
    tool = told.guard.tool("stuck")(go_on.wait)
    thread = threading.Thread(target=tool)
    thread.start()
    wait_until(lambda: told.of("stuck"))
    go_on.set()
    thread.join()
    execution = told.one("stuck")
    assert (execution.success, execution.error_origin) == (False, "environment")
    assert execution.error == "TimeoutError: the call has not ended after 0.2 s"
    assert (execution.duration_ms or 0) >= 200
    told.guard.close()


def test_a_group_names_its_leaves(told: Told) -> None:
    group = type("ExceptionGroup", (Exception,), {"__module__": "builtins"})("two")
    group.exceptions = (ValueError("v"), TypeError("t"))
    group.message = "two"

    @told.guard.tool
    def failing() -> None:
        raise group

    with pytest.raises(type(group)):
        failing()
    execution = told.one("failing")
    assert execution.error_type == "ExceptionGroup"
    assert execution.error == "ExceptionGroup('two', [ValueError('v'), TypeError('t')])"


def test_the_spans_of_a_tool_that_a_hook_publishes_are_passed_over(told: Told) -> None:
    """``RollguardSpanProcessor`` asks for the names."""
    tools = HookTools(told.guard, None, None, None)
    succeed(tools.begin("search"), "result")
    assert told.one("search").success
    assert told.guard.tool_names == {"search"}
    for wrong in ("x" * 256, cast("str", None)):
        assert tools.begin(wrong) is None
    assert told.guard.tool_names == {"search"}
