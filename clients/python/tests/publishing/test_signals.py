"""A handler of a signal raises while a call is published: the program gets the exception."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from rollguard_client import Execution, Rollguard
from rollguard_client.calls.tool import Tool
from rollguard_client.publishing.buffer import Buffer


class LateError(Exception):
    """Raised after a time, as by ``signal.alarm``."""


def interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGUSR1)


class OddError(Exception):
    def __str__(self) -> str:
        interrupt()
        return ""


@pytest.fixture
def guard() -> Iterator[Rollguard]:
    def late(*_: object) -> None:
        raise LateError

    before = signal.signal(signal.SIGUSR1, late)
    guard = Rollguard(kafka_brokers="127.0.0.1:1")
    yield guard
    guard.close(0)
    signal.signal(signal.SIGUSR1, before)


def test_while_a_call_is_put_into_the_buffer(
    guard: Rollguard, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = guard.tool("t")(os.getpid)
    monkeypatch.setattr(Buffer, "put", interrupt)
    with pytest.raises(LateError):
        tool()
    with pytest.raises(LateError):
        guard.publish(Execution.now("t", True))
    assert guard.dropped == 0
    assert guard._open_calls.calls == {}


@pytest.mark.parametrize("name", ["failed", "session", "version", "origin"])
def test_in_a_function_that_the_program_has_given(guard: Rollguard, name: str) -> None:
    def work(fails: bool) -> None:
        if fails:
            raise KeyError("no")

    given: dict[str, Any] = {name: interrupt}
    tool = guard.tool("t", **given)(work)
    with pytest.raises(LateError):
        tool(name == "origin")


def test_in_the_text_of_an_exception(guard: Rollguard) -> None:
    @guard.tool
    def work() -> None:
        raise OddError

    with pytest.raises(LateError):
        work()


def test_a_call_that_has_ended_just_before_is_published(
    guard: Rollguard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would count as stuck after an hour."""
    succeed, hits = Tool.succeed, [interrupt]

    def interrupted(tool: Tool, *ended: Any) -> None:
        for hit in hits[:]:
            hits.remove(hit)
            hit()
        succeed(tool, *ended)

    monkeypatch.setattr(Tool, "succeed", interrupted)
    tool = guard.tool("t")(os.getpid)
    with pytest.raises(LateError):
        tool()
    assert (guard.buffered, guard._open_calls.calls) == (1, {})
