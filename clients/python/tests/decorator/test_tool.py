"""The decorator: what is published of each call, and that nothing else changes."""

import asyncio
import functools
import inspect
import threading
import time
from typing import Any, cast
from unittest.mock import Mock

import pytest
from plain_functions import same
from telling import Told
from waiting import wait_until

from rollguard_client.hooks.hook_tools import HookTools, succeed
from rollguard_client.publishing.publisher import Publisher


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


def test_the_spans_of_a_tool_that_a_hook_publishes_are_passed_over(told: Told) -> None:
    """``RollguardSpanProcessor`` asks for the names."""
    tools = HookTools(told.guard, None, None, None)
    succeed(tools.begin("search"), "result")
    assert told.one("search").success
    assert told.guard.tool_names == {"search"}
    for wrong in ("x" * 256, cast("str", None)):
        assert tools.begin(wrong) is None
    assert told.guard.tool_names == {"search"}
