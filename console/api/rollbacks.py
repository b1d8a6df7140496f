"""Rollbacks: all of them, why one was decided, and a person's answer to one that is held."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, TypeAdapter
from starlette.responses import Response

from console.answering import answer_rollback
from console.api.answers import answered, done
from console.api.changes import applied
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked, changed
from console.api.models import ExplainedRollback, RollbackList
from console.api.orders import Approval, Dismissal
from console.api.parameters import (
    CommandIdInPath,
    Cursor,
    IdBeginningInPath,
    Limit,
    OfTool,
    ServicesHere,
    Since,
    Until,
    no_nul,
)
from console.api.problems import ProblemError
from console.questions.rollbacks import listed_rollbacks
from db.rollbacks.records import AfterRollback, RollbacksWanted
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.rollbacks import command_named, explanation_of
from schemas.fields import Time
from schemas.rollback import RollbackOutcome, Status, Tier

router: Final = APIRouter(tags=["rollbacks"])
_Name = Annotated[str, AfterValidator(no_nul)]
AFTER: Final[TypeAdapter[tuple[Time, UUID, str]]] = TypeAdapter(tuple[Time, UUID, _Name])


def wanted_rollbacks(
    tool: OfTool = None,
    status: Annotated[
        Status | None, Query(description="Only with this status; `held` waits, or has waited.")
    ] = None,
    tier: Annotated[Tier | None, Query(description="Only of this tier.")] = None,
    since: Since = None,
    until: Until = None,
) -> RollbacksWanted:
    """Return which rollbacks a list shall have."""
    return RollbacksWanted(tool, status, since, tier, until)


@router.get("/rollbacks", response_model=RollbackList, responses=asked())
async def rollbacks(
    request: Request,
    services: ServicesHere,
    wanted: Annotated[RollbacksWanted, Depends(wanted_rollbacks)],
    costs: Annotated[
        bool, Query(description="Also say how many failed calls each cost, and spared.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List rollback commands with their outcomes, the newest first."""
    after = values_of(cursor, AFTER)
    found = await listed_rollbacks(
        services,
        wanted,
        None if after is None else AfterRollback(*after),
        limit,
        costs=costs,
    )
    following = None
    if found.has_more:
        last = found.rollbacks[-1]
        following = cursor_of(last.applied_at.isoformat(), last.command_id, last.tool_name)
    return answered(
        request,
        {
            "rollbacks": [
                each.model_dump(mode="json") | {"cost": _data(found.costs.get(each.key))}
                for each in found.rollbacks
            ],
            "total": _data(found.total),
            "next_cursor": following,
        },
    )


def _data(model: BaseModel | None) -> Any:
    return None if model is None else model.model_dump(mode="json")


@router.get("/rollbacks/{command_id}", response_model=ExplainedRollback, responses=asked())
async def rollback(
    request: Request, services: ServicesHere, command_id: IdBeginningInPath, tool: OfTool = None
) -> Response:
    """Say why a rollback was decided: the rule, the numbers, the executions and their errors.

    The beginning of the id is enough. 422 if several ids begin like this, or if commands of several
    tools have the id, and `tool` names none.
    """
    async with services.postgres() as conn:
        named = await command_named(conn, command_id, tool)
        found = await explanation_of(services.settings, named, conn)
    return answered(request, found.data())


@router.post(
    "/rollbacks/{command_id}/approve", response_model=RollbackOutcome, responses=changed(409)
)
async def approve(
    services: ServicesHere,
    command_id: CommandIdInPath,
    answer: Approval,
    tool: OfTool = None,
) -> Response:
    """Carry out a held rollback. One that is not held keeps the outcome that it has.

    409 if it is not carried out.
    """
    outcome = await answer_rollback(services, command_id, tool, approved_by=answer.approved_by)
    return applied(outcome, outcome.to_version_id)


@router.post(
    "/rollbacks/{command_id}/dismiss", response_model=RollbackOutcome, responses=changed(409)
)
async def dismiss(
    services: ServicesHere,
    command_id: CommandIdInPath,
    answer: Dismissal,
    tool: OfTool = None,
) -> Response:
    """Reject a held rollback. One that is not held keeps the outcome that it has.

    409 if it was not dismissed.
    """
    outcome = await answer_rollback(
        services,
        command_id,
        tool,
        dismissed_by=answer.dismissed_by,
        dismissal=answer.dismissal,
    )
    data = outcome.model_dump(mode="json")
    if outcome.rejection == "dismissed":
        return done(data)
    why = "it was carried out already"
    if outcome.status != "applied":
        why = why_not_applied(outcome, outcome.to_version_id)
    raise ProblemError(409, why, outcome.rejection or outcome.status, outcome=data)
