"""The decorator: the text, the class and the origin of what a call has raised."""

import asyncio
from collections.abc import Callable
from concurrent import futures
from typing import Any

import pytest
from telling import Told


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


def test_a_cancelled_future_within_a_tool_is_its_failure(told: Told) -> None:
    @told.guard.tool
    def waits() -> None:
        raise futures.CancelledError

    with pytest.raises(futures.CancelledError):
        waits()
    assert told.one("waits").error_origin is None


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


def test_the_same_exception_object_counts_each_time_it_is_raised(told: Told) -> None:
    error = KeyError("one object")

    @told.guard.tool
    def failing() -> None:
        raise error

    for _ in range(3):
        with pytest.raises(KeyError):
            failing()
    assert [each.error_origin for each in told.of("failing")] == [None] * 3


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
