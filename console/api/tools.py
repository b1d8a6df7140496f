"""Tools: all at a glance, one of them, and its health."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, TypeAdapter
from starlette.responses import Response

from console.api.answers import answered
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked
from console.api.models import OneTool, StateNow, ToolList, ToolNow
from console.api.parameters import Cursor, Limit, ServicesHere, ToolInPath, no_nul
from console.api.problems import ProblemError
from console.services import Services
from console.tools_now import Wanted, tool_now, tools_of_postgres, tools_of_stream, with_state
from db.stops.reading import stops_of
from db.versions.listing import listed_tools
from rollguard.operations.overview.health import health_of
from rollguard.operations.overview.why_waiting import StopsAndWaits, stops_and_waits
from rollguard.operations.versions import current_of
from schemas.errors import Misconfigured, Missing, Retryable, RollguardError

router: Final = APIRouter(tags=["tools"])
_AFTER: Final[TypeAdapter[tuple[str]]] = TypeAdapter(tuple[Annotated[str, AfterValidator(no_nul)]])


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
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List all tools at a glance, by name.

    If Postgres does not answer, what the detectors know is listed; if they do not answer, the
    states are `unknown`. `notes` says so.
    """
    after = values_of(cursor, _AFTER)
    wanted = Wanted(q, state, after and after[0], limit)
    states = await services.states.get()
    notes, source = list(states.notes), "postgres"
    try:
        async with services.postgres() as conn:
            page = await tools_of_postgres(conn, states, wanted)
    except RollguardError as error:
        if not states.by_tool:
            raise
        page, source = tools_of_stream(states, wanted), "stream"
        notes.insert(0, f"{error}; only what the detectors know is listed")
    nothing = dict.fromkeys(ToolNow.model_fields)
    return answered(
        request,
        {
            "tools": [nothing | each for each in page.tools],
            "next_cursor": None if page.next_after is None else cursor_of(page.next_after),
            "notes": notes,
            "source": source,
        },
    )


@router.get("/tools/{tool}", response_model=OneTool, responses=asked())
async def tool(request: Request, services: ServicesHere, tool: ToolInPath) -> Response:
    """Show a tool at a glance, with its current version and what stops it."""
    notes: list[str] = []
    health = None
    try:
        health = await health_of(services.detector, tool, notes.append)
    except Missing:
        pass  # it was never activated, or the detector has not read that yet
    except RollguardError as error:
        notes.append(f"the state is not known: {error}")
    try:
        found = await _of_postgres(services, tool, health)
    except (Retryable, Misconfigured) as error:
        if health is None:
            raise
        notes.insert(0, f"{error}; only what the detector knows is shown")
        found = _of_stream(health)
    return answered(request, dict.fromkeys(OneTool.model_fields) | found | {"notes": notes})


async def _of_postgres(
    services: Services, tool: str, health: dict[str, Any] | None
) -> dict[str, Any]:
    async with services.postgres() as conn:
        version = await current_of(conn, tool)
        [row] = await listed_tools(conn, among=[tool])
        stops = await stops_of(conn, tool)
    is_known = health is not None and health["activation"] == row.activation
    return tool_now(row, health if is_known else None) | {
        "version": version.data(),
        "stops": [each.model_dump(mode="json") for each in stops],
    }


def _of_stream(health: dict[str, Any]) -> dict[str, Any]:
    names = ("tool_name", "version_id", "version_number", "activation", "activated_at")
    return {name: health[name] for name in names} | with_state(health)


@router.get("/tools/{tool}/health", responses=asked())
async def health(request: Request, services: ServicesHere, tool: ToolInPath) -> Response:
    """Show the windows of the current version, and what the rules say of it.

    A detector answers from the stream's table (contract, section 7). `waits_for`,
    `held_deployment`, `stops` and `engines` are null if Postgres does not answer.
    """
    try:
        found = await health_of(services.detector, tool, _ignored)
    except (Retryable, Misconfigured) as error:
        known = await _known(services, tool)
        if known is None:
            raise
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            str(error),
            "unavailable",
            part="detector",
            known=known,
        ) from error
    more: dict[str, Any] = dict.fromkeys(StopsAndWaits._fields)
    try:
        async with services.postgres() as conn:
            waits = await stops_and_waits(services.settings, found, conn)
        more = waits._asdict() | {"stops": [each.model_dump(mode="json") for each in waits.stops]}
    except (Retryable, Misconfigured):
        pass
    return answered(request, found | more)


async def _known(services: Services, tool: str) -> dict[str, Any] | None:
    """Return what Postgres knows of a tool; None if it knows nothing, or does not answer."""
    try:
        async with services.postgres() as conn:
            for row in await listed_tools(conn, among=[tool]):
                return tool_now(row, None)
    except (Retryable, Misconfigured):
        pass
    return None


def _ignored(_note: str) -> None:
    """Take a note that the answer has no place for."""
