"""A tool in a process of its own: what cannot travel there is the fault of who calls it."""

import asyncio
import sys
from typing import Any

import pytest
from telling import Told

from rollguard_client.registry.child.child_loader import ChildTool

CODE = """
calls = []

def execute(value):
    calls.append(value)
    return len(calls)
"""


def test_arguments_that_are_no_json_are_the_failure_of_the_caller(told: Told) -> None:
    """Two failures of the tool with a TypeError would roll its version back."""
    circular: list[Any] = []
    circular.append(circular)
    child = ChildTool(CODE, 120)
    child.start()
    try:
        tool = told.guard.tool("child")(child)
        assert tool(1) == 1
        for value in (object(), circular):
            with pytest.raises(TypeError, match=r"^arguments travel as JSON: "):
                tool(value)
        assert tool(2) == 2, "its process lives"
    finally:
        child.close()
    assert [each.error_origin for each in told.of("child") if not each.success] == ["caller"] * 2


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio needs none any more")
def test_a_policy_without_a_watcher_of_children_is_enough() -> None:
    """So is that of uvloop, and each version would fail to load."""

    class Policy(asyncio.DefaultEventLoopPolicy):
        def get_child_watcher(self) -> Any:
            raise NotImplementedError

    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Policy())
    child = ChildTool(CODE, 120)
    try:
        child.start()
        assert child(1) == 1
    finally:
        child.close()
        asyncio.set_event_loop_policy(before)
