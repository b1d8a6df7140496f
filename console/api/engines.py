"""Engines: which of them runs which version of a tool."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, TypeAdapter
from starlette.responses import Response

from console.api.answers import answered
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked
from console.api.models import EngineList
from console.api.parameters import Cursor, Limit, OfTool, ServicesHere, no_nul
from db.engines.listing import AfterEngine
from rollguard.operations.overview.engines import engines_of

router: Final = APIRouter(tags=["engines"])
_Name = Annotated[str, AfterValidator(no_nul)]
_AFTER: Final[TypeAdapter[tuple[str, str]]] = TypeAdapter(tuple[_Name, _Name])


@router.get("/engines", response_model=EngineList, responses=asked())
async def engines(
    request: Request,
    services: ServicesHere,
    tool: OfTool = None,
    stale: Annotated[
        bool, Query(description="Only engines that run another version than the current one.")
    ] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the engines that were heard lately, each with the version of a tool that it runs.

    With `stale` a page may have fewer than `limit`, or none, although `next_cursor` leads to more.
    """
    after = values_of(cursor, _AFTER)
    async with services.postgres() as conn:
        found = await engines_of(
            services.settings,
            tool,
            conn,
            after=None if after is None else AfterEngine(*after),
            limit=limit + 1,
            maybe_stale=stale,
        )
    shown = [each for each in found[:limit] if not stale or each.state == "stale"]
    last = found[limit - 1] if len(found) > limit else None
    return answered(
        request,
        {
            "engines": [each.model_dump(mode="json") for each in shown],
            "next_cursor": None if last is None else cursor_of(last.tool_name, last.engine_id),
        },
    )
