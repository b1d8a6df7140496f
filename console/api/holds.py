"""What waits for a person, and a person's answer to a held deployment."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AfterValidator, TypeAdapter
from starlette.responses import Response

from console.answering import answer_deployment
from console.api.answers import answered, done
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked, changed
from console.api.models import Hold, HoldList, OneHold
from console.api.orders import Approval, Dismissal
from console.api.parameters import (
    Cursor,
    DeploymentIdInPath,
    IdBeginningInPath,
    Limit,
    OfTool,
    ServicesHere,
    no_nul,
)
from console.api.problems import ProblemError
from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from rollguard.operations.rollbacks import rule_and_evidence
from rollguard.operations.waiting import Held, all_waiting, held_at, held_id, hold_named, order_of
from rollguard.refusal import refusal_text
from schemas.deployment import DISMISSED, DeploymentOutcome
from schemas.fields import Time
from schemas.settings import Settings

router: Final = APIRouter(tags=["holds"])
_Name = Annotated[str, AfterValidator(no_nul)]
_AFTER: Final[TypeAdapter[tuple[Time, UUID, str]]] = TypeAdapter(tuple[Time, UUID, _Name])


@router.get("/holds", response_model=HoldList, responses=asked())
async def holds(
    request: Request,
    services: ServicesHere,
    tool: OfTool = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List the rollbacks and the deployments that wait for a person, the newest first."""
    after = values_of(cursor, _AFTER)
    async with services.postgres() as conn:
        found = await all_waiting(conn, tool)
    rest = [each for each in found if after is None or order_of(each) < after]
    shown, following = rest[:limit], None
    if len(rest) > limit:
        at, each_id, name = order_of(shown[-1])
        following = cursor_of(at.isoformat(), each_id, name)
    return answered(
        request,
        {
            "holds": [hold_data(services.settings, each) for each in shown],
            "next_cursor": following,
        },
    )


@router.get("/holds/{held_id}", response_model=OneHold, responses=asked())
async def hold(
    request: Request, services: ServicesHere, held_id: IdBeginningInPath, tool: OfTool = None
) -> Response:
    """Show what waits for a person, or has waited, by its id or the beginning of it.

    A rollback need never have waited. 422 if several ids begin like this, or if several tools have
    the id, and `tool` names none.
    """
    async with services.postgres() as conn:
        found = await hold_named(conn, held_id, tool)
    data = hold_data(services.settings, found.record)
    return answered(request, data | {"waits": found.waits, "code": found.code})


@router.post(
    "/deployments/{deployment_id}/approve",
    response_model=DeploymentOutcome,
    responses=changed(409),
)
async def approve_deployment(
    services: ServicesHere,
    deployment_id: DeploymentIdInPath,
    answer: Approval,
    tool: OfTool = None,
) -> Response:
    """Make a version of a held deployment. One that does not wait keeps the outcome that it has.

    409 if it is refused.
    """
    outcome = await answer_deployment(services, deployment_id, tool, approved_by=answer.approved_by)
    data = outcome.model_dump(mode="json")
    if outcome.version_id is None:
        raise ProblemError(409, refusal_text(outcome), outcome.status, outcome=data)
    return done(data)


@router.post(
    "/deployments/{deployment_id}/dismiss",
    response_model=DeploymentOutcome,
    responses=changed(409),
)
async def dismiss_deployment(
    services: ServicesHere,
    deployment_id: DeploymentIdInPath,
    answer: Dismissal,
    tool: OfTool = None,
) -> Response:
    """Refuse a held deployment. One that does not wait keeps the outcome that it has.

    409 if it was not dismissed.
    """
    outcome = await answer_deployment(
        services,
        deployment_id,
        tool,
        dismissed_by=answer.dismissed_by,
        dismissal=answer.dismissal,
    )
    data = outcome.model_dump(mode="json")
    if (outcome.refusal or "").startswith(DISMISSED):
        return done(data)
    why = f"it was not dismissed: {outcome.refusal or outcome.status} before"
    raise ProblemError(409, why, outcome.status, outcome=data)


def hold_data(settings: Settings, held: Held) -> dict[str, Any]:
    """Return what waits for a person as JSON has it."""
    rollback = deployment = None
    if isinstance(held, RollbackRecord):
        rule, evidence = rule_and_evidence(settings, held)
        rollback = held.model_dump(mode="json") | {"rule": rule, "evidence": evidence}
    else:
        deployment = held.model_dump(mode="json")
    return dict.fromkeys(Hold.model_fields) | {
        "kind": "deployment" if isinstance(held, HeldDeployment) else "rollback",
        "held_id": held_id(held),
        "tool_name": held.tool_name,
        "held_at": held_at(held),
        "expires_at": held.expires_at,
        "rollback": rollback,
        "deployment": deployment,
    }
