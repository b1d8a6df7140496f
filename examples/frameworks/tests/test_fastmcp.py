"""FastMCP: a server, and a client that calls its tools."""

from typing import Any

from fastmcp import Context
from fastmcp.tools import Tool

import with_fastmcp as example
from tests.same_schemas import require_same_schemas
from tests.scene import see_a_rollback


async def test_the_client_goes_on_with_the_good_version() -> None:
    await see_a_rollback(example.guard, lambda: example.offer("lamp", 2))


def test_the_schema_stays() -> None:
    def schema_of(function: Any) -> Any:
        return Tool.from_function(function).to_mcp_tool()

    async def with_context(context: Context, text: str) -> str:
        """Use what the framework passes."""
        return f"{context.request_id} {text}"

    require_same_schemas(schema_of, with_context)
