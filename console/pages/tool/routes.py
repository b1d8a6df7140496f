"""The pages of a tool: the tool itself, two versions compared, a version, and its executions."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from console.api.cursors import cursor_of, values_of
from console.api.executions import AFTER
from console.api.parameters import (
    Cursor,
    FromVersion,
    ServicesHere,
    ToolInPath,
    ToVersion,
    VersionInPath,
)
from console.pages.forms import new_key
from console.pages.rendering.answers import page
from console.pages.rendering.texts import tool_path
from console.pages.tool.comparison import comparison_view
from console.pages.tool.view import view_of
from console.questions.tool_facts import PERIODS, tool_facts
from console.questions.versions import compared
from db.executions.queries import AfterExecution, ExecutionsWanted, executions_page
from rollguard.operations.versions import VersionName, version_of

router: Final = APIRouter()
_OF_A_PAGE: Final = 100


@router.get("/tools/{tool}")
async def tool(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    period: Annotated[str, Query(pattern=f"^({'|'.join(PERIODS)})?$")] = "",
) -> Response:
    """Show a tool: what it does now, its history, its versions, its errors."""
    facts = await tool_facts(services, tool, period or None)
    view = view_of(tool, facts, services.settings.rules_of(tool))
    return page(request, "tool.html", view=view, key=new_key())


@router.get("/tools/{tool}/compare")
async def compare(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    from_: FromVersion,
    to: ToVersion,
) -> Response:
    """Show what lies between two versions: the code, what breaks for callers, the metrics."""
    found = await compared(services, tool, from_, to)
    return page(request, "comparison.html", view=comparison_view(tool, found))


@router.get("/tools/{tool}/versions/{version}")
async def one_version(
    request: Request, services: ServicesHere, tool: ToolInPath, version: VersionInPath
) -> Response:
    """Show a version with its code."""
    async with services.postgres() as conn:
        found = await version_of(conn, tool, VersionName.of(version))
    return page(request, "version.html", name=tool, found=found)


@router.get("/tools/{tool}/executions")
async def executions(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    version_id: Annotated[str, Query(pattern="^[0-9]{0,9}$")] = "",
    success: Annotated[str, Query(pattern="^(true|false)?$")] = "",
    cursor: Cursor = None,
) -> Response:
    """Show the recorded executions of a tool with their errors."""
    after = values_of(cursor or None, AFTER)
    wanted = ExecutionsWanted(
        int(version_id) if version_id else None, None if not success else success == "true"
    )
    async with services.postgres() as conn:
        found = await executions_page(
            conn, tool, wanted, None if after is None else AfterExecution(*after), _OF_A_PAGE
        )
    filters = {"version_id": version_id, "success": success}
    given = {name: value for name, value in filters.items() if value}
    path, following = tool_path(tool, "executions"), None
    if found.next_after is not None:
        last = found.next_after
        given_cursor = cursor_of(last.executed_at.isoformat(), last.execution_id)
        following = f"{path}?{urlencode({**given, 'cursor': given_cursor})}"
    first = f"{path}?{urlencode(given)}" if given else path
    return page(
        request,
        "executions.html",
        name=tool,
        filters=filters,
        executions=found.executions,
        first=first if after is not None else None,
        following=following,
    )
