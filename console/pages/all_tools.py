"""What can be ordered for all tools on the page *tools*: a pin, a freeze, and their ends."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.admission.visitor import visitor_of
from console.api.parameters import ServicesHere
from console.pages.tool.forms import Confirmed, Hours, Reason, Result, end_of, ordered
from console.services import Services
from db.stops.reading import ALL_TOOLS, stops_of_kind
from rollguard.operations import pins
from rollguard.operations.stops import freeze, unfreeze
from rollguard.value_texts import time_text
from schemas.errors import RollguardError
from schemas.stops import Stop

router: Final = APIRouter()
_TOOLS: Final = "/tools"


async def stops_of_all_tools(services: Services) -> list[Stop]:
    """Return the pin and the freeze of all tools, as far as they are in force and known."""
    try:
        async with services.postgres() as conn:
            found = [await stops_of_kind(conn, kind, [ALL_TOOLS]) for kind in ("pin", "freeze")]
    except RollguardError:
        return []  # the list says that Postgres does not answer
    return [stop for each in found for stop in each]


@router.post("/pin")
async def pin_all(
    request: Request,
    services: ServicesHere,
    reason: Reason = "",
    hours: Hours = "",
    confirmed: Confirmed = "",
) -> Response:
    """Pin all tools, also those that come later."""

    async def order() -> Result:
        by, until = visitor_of(request).name, end_of(hours)
        await pins.pin(services.settings, None, reason, by, until)
        return Result(f"All tools are pinned{_until(until)}: no rule rolls any of them back.")

    return await ordered(request, _TOOLS, confirmed, reason, order)


@router.post("/unpin")
async def unpin_all(
    request: Request, services: ServicesHere, confirmed: Confirmed = ""
) -> Response:
    """End the pin of all tools."""

    async def order() -> Result:
        await pins.unpin(services.settings, None, visitor_of(request).name)
        return Result("Rules may roll tools back again. Pins of single tools stay.")

    return await ordered(request, _TOOLS, confirmed, None, order)


@router.post("/freeze")
async def freeze_all(
    request: Request,
    services: ServicesHere,
    reason: Reason = "",
    hours: Hours = "",
    confirmed: Confirmed = "",
) -> Response:
    """Refuse autonomous deployments of all tools."""

    async def order() -> Result:
        until = end_of(hours)
        await freeze(services.settings, None, reason, visitor_of(request).name, until)
        return Result(f"All tools are frozen{_until(until)}: no machine may deploy any of them.")

    return await ordered(request, _TOOLS, confirmed, reason, order)


@router.post("/unfreeze")
async def unfreeze_all(
    request: Request, services: ServicesHere, confirmed: Confirmed = ""
) -> Response:
    """End the freeze of all tools."""

    async def order() -> Result:
        await unfreeze(services.settings, None, visitor_of(request).name)
        return Result("Machines may deploy tools again. Freezes of single tools stay.")

    return await ordered(request, _TOOLS, confirmed, None, order)


def _until(time: datetime | None) -> str:
    return "" if time is None else f" until {time_text(time)}"
