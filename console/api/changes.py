"""What an operator or an engine orders: deployments, rollbacks and pins."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import APIRouter, Query
from starlette.responses import Response

from console.api.answers import done
from console.api.documented import changed
from console.api.models import NewDeployment, NewPin, NewRollback
from console.api.parameters import (
    BY,
    IdempotencyKey,
    NewToolInPath,
    Person,
    ServicesHere,
    ToolInPath,
    id_of,
)
from console.api.problems import ProblemError
from db.postgres.pool import Connection
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.pins import pin, pin_of, unpin
from rollguard.operations.versions import VersionName, version_id_of
from rollguard.refusal import refusal_text
from schemas.deployment import DeploymentOutcome
from schemas.errors import Missing, Rejected
from schemas.rollback import RollbackOutcome
from schemas.stops import Pin

router: Final = APIRouter(tags=["changes"])
_STATUSES: Final[Mapping[str, int]] = {"created": 201, "unchanged": 200, "held": 202}
_CREATED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": DeploymentOutcome, "description": "The code is that of the current version."},
    201: {
        "description": "There is a new version.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    },
    202: {"model": DeploymentOutcome, "description": "The deployment waits for a person."},
}


@router.post(
    "/tools/{tool}/deployments",
    status_code=201,
    response_model=DeploymentOutcome,
    responses=_CREATED | changed(409),
)
async def deploy(
    services: ServicesHere, tool: NewToolInPath, new: NewDeployment, key: IdempotencyKey = None
) -> Response:
    """Deploy code as the tool's new version, and wait for the outcome.

    409 if it is refused.
    """
    client = await services.client()
    outcome = await client.deploy(
        tool,
        new.code,
        created_by=new.created_by,
        improvement_type=new.improvement_type,
        improvement_reason=new.improvement_reason,
        accepted_breaks=new.accepted_breaks,
        checks=new.checks,
        deployment_id=_id(key, new.deployment_id, tool, "deployment"),
    )
    data = outcome.model_dump(mode="json")
    if outcome.status == "refused":
        raise ProblemError(409, refusal_text(outcome), "refused", outcome=data)
    headers = {}
    if outcome.status == "created":
        path = f"/api/v1/tools/{quote(tool, safe='')}/versions/{outcome.version_id}"
        headers["Location"] = path
    return done(data, _STATUSES[outcome.status], **headers)


@router.post("/tools/{tool}/rollbacks", response_model=RollbackOutcome, responses=changed(409))
async def roll_back(
    services: ServicesHere, tool: ToolInPath, new: NewRollback, key: IdempotencyKey = None
) -> Response:
    """Make any version of the tool's history current in the name of a person.

    409 if it is rejected.
    """
    version_id = new.to_version_id
    if version_id is None:
        async with services.postgres() as conn:
            name = VersionName(number=new.to_version_number)
            version_id = await version_id_of(conn, tool, name)
    client = await services.client()
    outcome = await client.rollback(
        tool,
        version_id,
        new.reason,
        issued_by=new.issued_by,
        command_id=_id(key, new.command_id, tool, "rollback"),
    )
    return applied(outcome, version_id, new.to_version_number)


@router.put("/tools/{tool}/pin", response_model=Pin, responses=changed())
async def set_pin(services: ServicesHere, tool: ToolInPath, new: NewPin) -> Response:
    """Pin the tool: no rule rolls it back, until the pin is removed or expires.

    It replaces a pin that the tool has. The same pin again changes nothing.
    """
    if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
        raise Rejected("expires_at: it has passed already")
    async with services.postgres() as conn:
        kept = await _pin_like(conn, tool, new)
    if kept is None:
        kept = await pin(services.settings, tool, new.reason, new.pinned_by, new.expires_at)
    return done(kept.model_dump(mode="json"))


@router.delete("/tools/{tool}/pin", response_model=Pin, responses=changed())
async def remove_pin(
    services: ServicesHere,
    tool: ToolInPath,
    by: Annotated[Person, Query(max_length=255, description="Who removes it.")] = BY,
) -> Response:
    """Remove the tool's pin, and return it. 404 if it has none."""
    return done((await unpin(services.settings, tool, by)).model_dump(mode="json"))


def applied(outcome: RollbackOutcome, target: int | None, number: int | None = None) -> Response:
    """Return the answer to a command; ProblemError if nothing was changed."""
    data = outcome.model_dump(mode="json")
    if outcome.status != "applied":
        why = why_not_applied(outcome, target, number)
        raise ProblemError(409, why, outcome.rejection or outcome.status, outcome=data)
    return done(data)


async def _pin_like(conn: Connection, tool: str, new: NewPin) -> Pin | None:
    """Return the pin of the tool that is in force if it says the same."""
    try:
        found = await pin_of(conn, tool)
    except Missing:
        return None
    said = (tool, new.reason, new.pinned_by, new.expires_at)
    is_same = said == (found.tool_name, found.reason, found.pinned_by, found.expires_at)
    return found if is_same else None


def _id(key: str | None, given: UUID | None, tool: str, kind: str) -> UUID:
    """Return the id of a message. Raises Rejected if both a key and an id are given."""
    if key is not None and given is not None:
        raise Rejected(f"Idempotency-Key: the body has a {kind} id already; give one of them")
    return given or id_of(key, tool, kind) or uuid4()
