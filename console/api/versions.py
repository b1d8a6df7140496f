"""The versions of a tool: their history, one of them, and what lies between two."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from console.api.answers import answered, done
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked, changed
from console.api.models import OneVersion, Recounted, VersionList
from console.api.parameters import (
    CURRENT,
    Cursor,
    FromVersion,
    ServicesHere,
    ToolInPath,
    ToVersion,
    VersionInPath,
    VersionOrCurrentInPath,
)
from console.questions.versions import compared
from db.versions.held import holds_of_tool
from db.versions.reading import history
from rollguard.operations.versions import (
    VersionName,
    current_of,
    no_versions,
    version_id_of,
    version_of,
)
from schemas.fields import VersionId

router: Final = APIRouter(tags=["versions"])
_BEFORE: Final[TypeAdapter[tuple[int]]] = TypeAdapter(tuple[VersionId])


@router.get("/tools/{tool}/versions", response_model=VersionList, responses=asked())
async def versions(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    limit: Annotated[int, Query(ge=1, le=50, description="List at most this many.")] = 20,
    held_limit: Annotated[
        int | None,
        Query(ge=0, le=500, description="At most this many held deployments; by default `limit`."),
    ] = None,
    cursor: Cursor = None,
) -> Response:
    """List the versions of a tool with their code and metrics, the newest first."""
    before = values_of(cursor, _BEFORE)
    async with services.postgres() as conn:
        found = await history(conn, tool, limit + 1, before and before[0])
        held = await holds_of_tool(conn, tool, limit if held_limit is None else held_limit)
    if not found and not held and before is None:
        raise no_versions(tool)
    shown = found[:limit]
    following = cursor_of(shown[-1].version_number) if len(found) > limit else None
    return answered(
        request,
        {
            "versions": [each.model_dump(mode="json") for each in shown],
            "held": [each.model_dump(mode="json") for each in held],
            "next_cursor": following,
        },
    )


@router.get("/tools/{tool}/versions/{version}", response_model=OneVersion, responses=asked())
async def version(
    request: Request, services: ServicesHere, tool: ToolInPath, version: VersionOrCurrentInPath
) -> Response:
    """Show one version with its code, its metrics, and the rollbacks about it."""
    async with services.postgres() as conn:
        if version == CURRENT:
            found = await current_of(conn, tool)
        else:
            found = await version_of(conn, tool, VersionName.of(version))
    return answered(request, found.data())


@router.post(
    "/tools/{tool}/versions/{version}/recount", response_model=Recounted, responses=changed()
)
async def recount(services: ServicesHere, tool: ToolInPath, version: VersionInPath) -> Response:
    """Count a version's executions again, and correct its metrics if they differ.

    On a healthy system nothing changes. 422 if executions of it were pruned.
    """
    async with services.postgres() as conn:
        version_id = await version_id_of(conn, tool, VersionName.of(version))
    return done(await services.manager.update_version_metrics(tool, version_id))


@router.get("/tools/{tool}/compare", responses=asked())
async def compare(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    from_: FromVersion,
    to: ToVersion,
) -> Response:
    """Compare two versions: the diff, what breaks for callers, the metrics and their change."""
    return answered(request, await compared(services, tool, from_, to))
