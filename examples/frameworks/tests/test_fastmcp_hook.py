"""The middleware: each call once, also beside the decorator."""

from collections.abc import Callable
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.tools import ToolResult
from pydantic import BaseModel
from rollguard_client.hooks.fastmcp import RollguardMiddleware

from tests.told import Told


class Wanted(BaseModel):
    """What one of the tools makes of its argument."""

    number: int


def shout(text: str) -> str:
    """Say it loud; only a few texts can be said."""
    return {"a": "A", "b": "B"}[text]


async def whisper(text: str) -> str:
    """Say it low."""
    return {"A": "a"}[text]


def parse(text: str) -> str:
    """Make something of a text that its model may refuse."""
    return str(Wanted.model_validate({"number": text}))


def refuse(text: str) -> ToolResult:
    """Return an error."""
    return ToolResult(f"no {text}", is_error=True)


def server_of(told: Told, *functions: Callable[..., Any]) -> FastMCP:
    server = FastMCP("server", mask_error_details=True)
    server.add_middleware(RollguardMiddleware(told.guard))
    for function in functions:
        server.tool(function)
    return server


async def fails(client: Client[Any], name: str, **arguments: Any) -> None:
    with pytest.raises(ToolError):
        await client.call_tool(name, arguments)


@pytest.mark.parametrize("is_decorated", [True, False])
async def test_each_call_is_published_once(told: Told, is_decorated: bool) -> None:
    functions: list[Callable[..., Any]] = [shout, whisper, parse]
    if is_decorated:
        functions = [told.guard.tool(each) for each in functions]
    async with Client(server_of(told, *functions)) as client:
        assert (await client.call_tool("shout", {"text": "a"})).data == "A"
        assert (await client.call_tool("whisper", {"text": "A"})).data == "a"
        await fails(client, "shout", text="c")
        await fails(client, "whisper", text="c")
        await fails(client, "parse", text="no number")
        published = [
            ("shout", None, None),
            ("whisper", None, None),
            ("shout", "KeyError", None),
            ("whisper", "KeyError", None),
            ("parse", "pydantic_core._pydantic_core.ValidationError", None),
        ]
        assert told.executions == published
        # What FastMCP refuses is no call.
        await fails(client, "shout", wrong="a")
        await fails(client, "no-such-tool", text="a")
        assert told.executions == published


async def test_an_error_that_is_returned_is_a_failure(told: Told) -> None:
    async with Client(server_of(told, refuse)) as client:
        await fails(client, "refuse", text="x")
    (failure,) = told.put
    assert failure.failure.error == "no x"


async def test_a_tool_of_a_mounted_server_is_published(told: Told) -> None:
    outer = server_of(told)
    inner = FastMCP("inner")
    inner.tool(shout)
    outer.mount(inner, namespace="inner")
    async with Client(outer) as client:
        await client.call_tool("inner_shout", {"text": "a"})
    assert told.executions == [("inner_shout", None, None)]
