"""Stops: what a person says against machines (pins, freezes, rejections), and what ends it."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field, TypeAdapter
from starlette.responses import Response

from console.admission.visitor import BY
from console.api.answers import answered, done
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked, changed
from console.api.models import RejectedCode, StopList
from console.api.orders import NewFreeze, NewPin, NewRejection, Resumption
from console.api.parameters import (
    Cursor,
    Limit,
    OfTool,
    Person,
    ServicesHere,
    ToolInPath,
    VersionInPath,
)
from console.services import Services
from db.stops.reading import AfterStop, StopsWanted, stops_of_kind, stops_page
from rollguard.operations import pins, stops
from rollguard.operations.versions import VersionName
from rollguard.printing import data_of
from schemas.errors import Rejected
from schemas.fields import Time
from schemas.stops import Pin, Stop, StopKind

router: Final = APIRouter(tags=["stops"])
_StopId = Annotated[int, Field(ge=0, le=2**63 - 1)]
_AFTER: Final[TypeAdapter[tuple[Time, int]]] = TypeAdapter(tuple[Time, _StopId])
_By = Annotated[Person, Query(max_length=255, description="Who removes it.", validate_default=True)]


@router.get("/stops", response_model=StopList, responses=asked())
async def list_stops(
    request: Request,
    services: ServicesHere,
    tool: OfTool = None,
    kind: Annotated[StopKind | None, Query(description="Only of this kind.")] = None,
    ended: Annotated[bool, Query(description="Those that have ended, too.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List pins, freezes, rejections and waits, the newest first.

    With `tool`, those of all tools together are listed, too.
    """
    after = values_of(cursor, _AFTER)
    async with services.postgres() as conn:
        found = await stops_page(
            conn,
            StopsWanted(tool, kind, ended),
            None if after is None else AfterStop(*after),
            limit,
        )
    following = found.next_after
    return answered(
        request,
        {
            "stops": [data_of(each) for each in found.stops],
            "next_cursor": None
            if following is None
            else cursor_of(following.began_at.isoformat(), following.stop_id),
        },
    )


@router.get("/tools/{tool}/pin", response_model=Pin, responses=asked())
async def show_pin(request: Request, services: ServicesHere, tool: ToolInPath) -> Response:
    """Show the tool's pin, or else that of all tools. 404 if neither is in force."""
    return await _shown(request, services, tool)


@router.put("/tools/{tool}/pin", response_model=Pin, responses=changed())
async def set_pin(services: ServicesHere, tool: ToolInPath, new: NewPin) -> Response:
    """Pin the tool: no rule rolls it back, until the pin is removed or expires.

    It replaces a pin that the tool has. The same pin again changes nothing.
    """
    return await _pinned(services, tool, new)


@router.delete("/tools/{tool}/pin", response_model=Pin, responses=changed())
async def remove_pin(services: ServicesHere, tool: ToolInPath, by: _By = BY) -> Response:
    """Remove the tool's pin, and return it. 404 if it has none."""
    return done(data_of(await pins.unpin(services.settings, tool, by)))


@router.get("/pin", response_model=Pin, responses=asked())
async def show_pin_of_all(request: Request, services: ServicesHere) -> Response:
    """Show the pin of all tools. 404 if none is in force."""
    return await _shown(request, services, None)


@router.put("/pin", response_model=Pin, responses=changed())
async def pin_all(services: ServicesHere, new: NewPin) -> Response:
    """Pin all tools, also those that come later: no rule rolls any of them back.

    The same pin again changes nothing.
    """
    return await _pinned(services, None, new)


@router.delete("/pin", response_model=Pin, responses=changed())
async def unpin_all(services: ServicesHere, by: _By = BY) -> Response:
    """Remove the pin of all tools, and return it. 404 if there is none.

    Pins of single tools stay.
    """
    return done(data_of(await pins.unpin(services.settings, None, by)))


@router.put("/tools/{tool}/freeze", response_model=Stop, responses=changed())
async def freeze(services: ServicesHere, tool: ToolInPath, new: NewFreeze) -> Response:
    """Freeze the tool: no machine deploys it, until the freeze is removed or expires.

    It replaces a freeze that the tool has. The same freeze again changes nothing.
    """
    return await _frozen(services, tool, new)


@router.delete("/tools/{tool}/freeze", response_model=Stop, responses=changed())
async def unfreeze(services: ServicesHere, tool: ToolInPath, by: _By = BY) -> Response:
    """Remove the tool's freeze, and return it. 404 if it has none."""
    return done(data_of(await stops.unfreeze(services.settings, tool, by)))


@router.put("/freeze", response_model=Stop, responses=changed())
async def freeze_all(services: ServicesHere, new: NewFreeze) -> Response:
    """Freeze all tools, also those that come later: no machine deploys any of them.

    The same freeze again changes nothing.
    """
    return await _frozen(services, None, new)


@router.delete("/freeze", response_model=Stop, responses=changed())
async def unfreeze_all(services: ServicesHere, by: _By = BY) -> Response:
    """Remove the freeze of all tools, and return it. 404 if there is none.

    Freezes of single tools stay.
    """
    return done(data_of(await stops.unfreeze(services.settings, None, by)))


@router.post("/tools/{tool}/resume", response_model=Stop, responses=changed())
async def resume(services: ServicesHere, tool: ToolInPath, by: Resumption) -> Response:
    """End the wait that began with a person's rollback: machines may deploy the tool again.

    404 if they do not wait.
    """
    return done(data_of(await stops.resume(services.settings, tool, by.resumed_by)))


@router.post(
    "/tools/{tool}/versions/{version}/reject", response_model=RejectedCode, responses=changed()
)
async def reject(
    services: ServicesHere, tool: ToolInPath, version: VersionInPath, new: NewRejection
) -> Response:
    """Reject the code of a version: no rollback leads to it, and no machine may deploy it again.

    The version stays current if it is. A person can still deploy this code or roll back to it,
    which ends the rejection.
    """
    name = VersionName.of(version)
    found = await stops.reject(services.settings, tool, name, new.reason, new.set_by)
    return done(found.data())


async def _shown(request: Request, services: Services, tool: str | None) -> Response:
    async with services.postgres() as conn:
        return answered(request, data_of(await pins.pin_of(conn, tool)))


async def _pinned(services: Services, tool: str | None, new: NewPin) -> Response:
    _require_future(new.expires_at)
    said = (new.reason, new.pinned_by, new.expires_at)
    same = await _in_force(services, "pin", tool, said)
    if same is not None:
        return done(data_of(Pin.of(same)))
    return done(data_of(await pins.pin(services.settings, tool, *said)))


async def _frozen(services: Services, tool: str | None, new: NewFreeze) -> Response:
    _require_future(new.expires_at)
    said = (new.reason, new.set_by, new.expires_at)
    same = await _in_force(services, "freeze", tool, said)
    if same is not None:
        return done(data_of(same))
    return done(data_of(await stops.freeze(services.settings, tool, *said)))


async def _in_force(
    services: Services, kind: StopKind, tool: str | None, said: tuple[str, str, datetime | None]
) -> Stop | None:
    """Return the stop of the tool that is in force if it says the same."""
    name = stops.name_in_database(tool)
    async with services.postgres() as conn:
        for stop in await stops_of_kind(conn, kind, [name]):
            if said == (stop.reason, stop.set_by, stop.expires_at):
                return stop
    return None


def _require_future(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Rejected("expires_at: it has passed already")
