"""Tools: all at a glance, one of them, and its health."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, TypeAdapter
from starlette.responses import Response

from console.api.answers import answered
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked
from console.api.models import ImmediateVerdict, OneTool, StateNow, ToolList, ToolNow
from console.api.parameters import Cursor, Limit, ServicesHere, ToolInPath, no_nul
from console.questions.tools import health_now, one_tool, tools_page, whole_health
from console.tools_now import Wanted
from schemas.fields import Time

router: Final = APIRouter(tags=["tools"])
AFTER: Final[TypeAdapter[tuple[str]]] = TypeAdapter(tuple[Annotated[str, AfterValidator(no_nul)]])
"""What a cursor of the list of tools stands for: the name after which a page begins."""


@router.get("/tools", response_model=ToolList, responses=asked())
async def tools(
    request: Request,
    services: ServicesHere,
    q: Annotated[
        str | None,
        AfterValidator(no_nul),
        Query(max_length=255, description="A part of the name, in whatever case."),
    ] = None,
    state: Annotated[StateNow | None, Query(description="Only tools in this state.")] = None,
    pinned: Annotated[
        bool, Query(description="Only tools that are pinned, by themselves or with all tools.")
    ] = False,
    held: Annotated[
        bool, Query(description="Only tools of which something waits for a person.")
    ] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List all tools at a glance, by name.

    If Postgres does not answer, what the detectors know is listed; if they do not answer, the
    states are `unknown`. `notes` says so.
    """
    after = values_of(cursor, AFTER)
    page = await tools_page(services, Wanted(q, state, after and after[0], limit, pinned, held))
    nothing = dict.fromkeys(ToolNow.model_fields)
    return answered(
        request,
        {
            "tools": [nothing | each for each in page.tools],
            "next_cursor": None if page.next_after is None else cursor_of(page.next_after),
            "notes": page.notes,
            "source": page.source,
        },
    )


@router.get("/tools/{tool}", response_model=OneTool, responses=asked())
async def tool(request: Request, services: ServicesHere, tool: ToolInPath) -> Response:
    """Show a tool at a glance, with its current version and what stops it."""
    notes: list[str] = []
    health = await health_now(services, tool, notes)
    found = await one_tool(services, tool, health, notes)
    return answered(request, dict.fromkeys(OneTool.model_fields) | found | {"notes": notes})


@router.get("/tools/{tool}/immediate", response_model=ImmediateVerdict, responses=asked())
async def immediate(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    at: Annotated[
        Time | None, Query(description="The time that counts as now, with an offset.")
    ] = None,
) -> Response:
    """Say whether an immediate rule demands a rollback, by the executions in Postgres.

    Under policy `guarded` a detector is asked, which can say nothing of another time.
    """
    needed, reason, details = await services.manager.check_immediate_rollback_needed(tool, at)
    return answered(request, {"needs_rollback": needed, "reason": reason, "details": details})


@router.get("/tools/{tool}/health", responses=asked())
async def health(request: Request, services: ServicesHere, tool: ToolInPath) -> Response:
    """Show the windows of the current version, and what the rules say of it.

    A detector answers from the stream's table (contract, section 7). `waits_for`,
    `held_deployment`, `stops` and `engines` are null if Postgres does not answer; `notes` says so.
    """
    return answered(request, await whole_health(services, tool))
