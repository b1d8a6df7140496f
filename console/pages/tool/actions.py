"""What can be ordered on the page of a tool: a rollback, a pin, a freeze, and their ends.

Each is done in the name of who has logged in, and the page says what came of it.
"""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from console.admission.visitor import visitor_of
from console.api.parameters import ServicesHere, ToolInPath
from console.ordering import order_rollback
from console.pages.forms import (
    Confirmed,
    Key,
    Reason,
    Result,
    StopForm,
    begun,
    command_id_of,
    ended,
    ordered,
)
from console.pages.rendering.texts import tool_path
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations import pins
from rollguard.operations.stops import freeze, resume, unfreeze
from rollguard.operations.versions import VersionName

router: Final = APIRouter()


@router.post("/tools/{tool}/rollbacks")
async def roll_back_tool(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    version: Annotated[str, Form(pattern="^[vV]?[0-9]{1,10}$")],
    key: Key = "",
    reason: Reason = "",
    confirmed: Confirmed = "",
) -> Response:
    """Make a version current."""
    target, by = VersionName.of(version), visitor_of(request).name

    async def order() -> Result:
        command_id = command_id_of(key, tool)
        outcome, version_id = await order_rollback(services, tool, target, reason, by, command_id)
        if outcome.status == "applied":
            return Result(f"v{outcome.to_version_number} is current again.")
        why = why_not_applied(outcome, version_id, target.number)
        return Result(f"Nothing was changed: {why}", is_done=False)

    return await ordered(request, tool_path(tool), confirmed, reason, order)


@router.post("/tools/{tool}/pin")
async def pin(
    request: Request, services: ServicesHere, tool: ToolInPath, form: StopForm
) -> Response:
    """Pin the tool."""
    begin = partial(pins.pin, services.settings, tool)
    done = "It is pinned{until}: no rule rolls it back. A person still can."
    return await begun(request, tool_path(tool), form, begin, done)


@router.post("/tools/{tool}/unpin")
async def end_pin(
    request: Request, services: ServicesHere, tool: ToolInPath, confirmed: Confirmed = ""
) -> Response:
    """End the tool's pin."""
    end = partial(pins.unpin, services.settings, tool)
    done = "It is not pinned any more: rules may roll it back."
    return await ended(request, tool_path(tool), confirmed, end, done)


@router.post("/tools/{tool}/freeze")
async def freeze_tool(
    request: Request, services: ServicesHere, tool: ToolInPath, form: StopForm
) -> Response:
    """Refuse autonomous deployments of the tool."""
    begin = partial(freeze, services.settings, tool)
    done = "It is frozen{until}: no machine may deploy it. A person still can."
    return await begun(request, tool_path(tool), form, begin, done)


@router.post("/tools/{tool}/unfreeze")
async def end_freeze(
    request: Request, services: ServicesHere, tool: ToolInPath, confirmed: Confirmed = ""
) -> Response:
    """End the tool's freeze."""
    end = partial(unfreeze, services.settings, tool)
    done = "It is not frozen any more: machines may deploy it."
    return await ended(request, tool_path(tool), confirmed, end, done)


@router.post("/tools/{tool}/resume")
async def end_wait(
    request: Request, services: ServicesHere, tool: ToolInPath, confirmed: Confirmed = ""
) -> Response:
    """Allow autonomous deployments that wait since a person's rollback."""
    end = partial(resume, services.settings, tool)
    return await ended(request, tool_path(tool), confirmed, end, "Machines may deploy it again.")
