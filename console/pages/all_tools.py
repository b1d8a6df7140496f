"""What can be ordered for all tools on the page *tools*: a pin, a freeze, and their ends."""

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.parameters import ServicesHere
from console.pages.forms import Confirmed, StopForm, begun, ended
from console.services import Services
from db.stops.reading import ALL_TOOLS, stops_of_kind
from rollguard.operations import pins
from rollguard.operations.stops import freeze, unfreeze
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
async def pin_all(request: Request, services: ServicesHere, form: StopForm) -> Response:
    """Pin all tools, also those that come later."""
    begin = partial(pins.pin, services.settings, None)
    done = "All tools are pinned{until}: no rule rolls any of them back."
    return await begun(request, _TOOLS, form, begin, done)


@router.post("/unpin")
async def unpin_all(
    request: Request, services: ServicesHere, confirmed: Confirmed = ""
) -> Response:
    """End the pin of all tools."""
    end = partial(pins.unpin, services.settings, None)
    done = "Rules may roll tools back again. Pins of single tools stay."
    return await ended(request, _TOOLS, confirmed, end, done)


@router.post("/freeze")
async def freeze_all(request: Request, services: ServicesHere, form: StopForm) -> Response:
    """Refuse autonomous deployments of all tools."""
    begin = partial(freeze, services.settings, None)
    done = "All tools are frozen{until}: no machine may deploy any of them."
    return await begun(request, _TOOLS, form, begin, done)


@router.post("/unfreeze")
async def unfreeze_all(
    request: Request, services: ServicesHere, confirmed: Confirmed = ""
) -> Response:
    """End the freeze of all tools."""
    end = partial(unfreeze, services.settings, None)
    done = "Machines may deploy tools again. Freezes of single tools stay."
    return await ended(request, _TOOLS, confirmed, end, done)
