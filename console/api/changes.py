"""What an operator or an engine orders: deployments and rollbacks."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter
from starlette.responses import Response

from console.api.answers import done
from console.api.documented import changed
from console.api.models import MonitorResult
from console.api.orders import AutomaticRollback, NewDeployment, NewRollback
from console.api.parameters import (
    IdempotencyKey,
    NewToolInPath,
    ServicesHere,
    ToolInPath,
    id_of,
)
from console.api.problems import ProblemError
from console.ordering import order_rollback
from rollguard.management.deployment_monitor import DeploymentMonitor
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.versions import VersionName
from rollguard.refusal import refusal_text
from rollguard_client.http.console import in_path
from schemas.deployment import DeploymentOutcome
from schemas.errors import Rejected
from schemas.rollback import RollbackOutcome

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
    deployment_id = _id(key, new.deployment_id, tool, "deployment")
    if new.previous_version_id is not None:
        await services.manager.require_previous(tool, new.previous_version_id, deployment_id)
    client = await services.client()
    outcome = await client.deploy(
        tool,
        new.code,
        created_by=new.created_by,
        improvement_type=new.improvement_type,
        improvement_reason=new.improvement_reason,
        accepted_breaks=new.accepted_breaks,
        checks=new.checks,
        deployment_id=deployment_id,
    )
    data = outcome.model_dump(mode="json")
    if outcome.status == "refused":
        raise ProblemError(409, refusal_text(outcome), "refused", outcome=data)
    headers = {}
    if outcome.status == "created":
        path = f"/api/v1/tools/{in_path(tool)}/versions/{outcome.version_id}"
        headers["Location"] = path
    return done(data, _STATUSES[outcome.status], **headers)


@router.post("/tools/{tool}/rollbacks", response_model=RollbackOutcome, responses=changed(409))
async def roll_back(
    services: ServicesHere, tool: ToolInPath, new: NewRollback, key: IdempotencyKey = None
) -> Response:
    """Make any version of the tool's history current in the name of a person.

    409 if it is rejected.
    """
    target = VersionName(number=new.to_version_number, version_id=new.to_version_id)
    command_id = _id(key, new.command_id, tool, "rollback")
    outcome, version_id = await order_rollback(
        services, tool, target, new.reason, new.issued_by, command_id, by_rule=new.by_rule
    )
    number = new.to_version_number
    if number is None and outcome.status != "applied":
        number = await services.manager.number_of(tool, version_id)
    return applied(outcome, version_id, number)


@router.post("/tools/{tool}/rollbacks/automatic", response_model=MonitorResult, responses=changed())
async def roll_back_if_needed(
    services: ServicesHere, tool: ToolInPath, new: AutomaticRollback
) -> Response:
    """Roll the current version back if a rule demands it, by the command that the detector issues.

    It has the detector's id, so whoever comes first, the version is rolled back once. If no rule
    demands a rollback, `rollback_performed` is false and `type` is null.
    """
    monitor = DeploymentMonitor(version_manager=services.manager)
    found = await monitor.auto_rollback_if_needed(tool, check_fast_rollback=new.check_fast_rollback)
    return done(dict.fromkeys(MonitorResult.model_fields) | found)


def applied(outcome: RollbackOutcome, target: int | None, number: int | None = None) -> Response:
    """Return the answer to a command; ProblemError if nothing was changed."""
    data = outcome.model_dump(mode="json")
    if outcome.status != "applied":
        why = why_not_applied(outcome, target, number)
        raise ProblemError(409, why, outcome.rejection or outcome.status, outcome=data)
    return done(data)


def _id(key: str | None, given: UUID | None, tool: str, kind: str) -> UUID:
    """Return the id of a message. Raises Rejected if both a key and an id are given."""
    if key is not None and given is not None:
        raise Rejected(f"Idempotency-Key: the body has a {kind} id already; give one of them")
    return given or id_of(key, tool, kind) or uuid4()
