"""Held deployments: list those that wait for a person, approve one, dismiss one."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from db.postgres.pool import Connection
from db.rollbacks.records import commands_between
from db.versions.held import (
    HeldDeployment,
    deployment_held,
    held_between,
    held_deployments,
    holds_of_tool,
)
from db.versions.outcomes import DeploymentKey, outcome_of
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard.operations.rollbacks import MAX_CANDIDATES, ids_between, require_one
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.errors import Missing, Rejected
from schemas.message import explain
from schemas.rollback import CommandKey
from schemas.settings import Settings


async def waiting_deployments(settings: Settings, tool: str | None) -> list[HeldDeployment]:
    """Return the deployments that wait for a person, the newest first.

    They are those of one tool, or of all tools if ``tool`` is None. Raises Retryable if Postgres
    does not answer, Misconfigured if it refuses or its schema is missing.
    """
    async with connection(settings) as conn:
        return await held_deployments(conn, tool)


async def deployments_of(settings: Settings, tool: str, limit: int) -> list[HeldDeployment]:
    """Return the newest ``limit`` deployments of a tool that wait or waited, the newest first."""
    async with connection(settings) as conn:
        return await holds_of_tool(conn, tool, limit)


async def approve_deployment(
    settings: Settings, tool: str, deployment_id: UUID, by: str
) -> DeploymentOutcome:
    """Make a version of a held deployment in the name of ``by``, and return the outcome.

    The outcome's status is ``created``, or ``unchanged`` if the code has become current meanwhile,
    or ``refused`` (``refusal`` says why). If the deployment does not wait any more, nothing
    changes, and the outcome is the one that it already has.

    Raises Rejected if no deployment of the tool with this id was ever held, or if ``by`` is no
    valid name; Retryable('applier') if no outcome comes within ``settings.wait_s`` seconds (the
    answer may still be carried out).
    """
    return await _answer(settings, DeploymentKey(tool, deployment_id), approved_by=by)


async def dismiss_deployment(
    settings: Settings, tool: str, deployment_id: UUID, reason: str, by: str
) -> DeploymentOutcome:
    """Refuse a held deployment in the name of ``by``, and return the outcome.

    The outcome is ``refused``, with ``reason`` in the refusal. For a deployment that does not wait,
    and for errors, see ``approve_deployment``.
    """
    return await _answer(
        settings, DeploymentKey(tool, deployment_id), dismissed_by=by, dismissal=reason
    )


async def held_named(
    where: Settings | Connection, beginning: str, tool: str | None
) -> CommandKey | DeploymentKey:
    """Return the rollback or the held deployment whose id begins with these digits.

    It is of this tool if one is given. Rejected if there is none, or more than one; then the error
    lists their ids, or the tools that have the same id.
    """
    first, last = ids_between(beginning)
    async with connection(where) as conn:
        asked = (conn, first, last, tool, MAX_CANDIDATES + 1)
        found: list[CommandKey | DeploymentKey] = [
            *await commands_between(*asked),
            *await held_between(*asked),
        ]
    return require_one(
        [(each.held_id, each.tool_name) for each in found],
        found,
        beginning,
        tool,
        "rollback and no held deployment",
    )


async def held_deployment_named(
    conn: Connection, deployment_id: UUID, tool: str | None
) -> DeploymentKey:
    """Return the held deployment with this id, of this tool if one is given.

    Missing if there is none. Rejected if several tools have it.
    """
    found = await held_between(conn, deployment_id, deployment_id, tool, MAX_CANDIDATES + 1)
    ids = [(each.deployment_id, each.tool_name) for each in found]
    return require_one(ids, found, deployment_id.hex, tool, "held deployment")


async def _answer(settings: Settings, named: DeploymentKey, **answer: str) -> DeploymentOutcome:
    async with connection(settings) as conn:
        found = await deployment_answer(conn, named, **answer)
    if isinstance(found, DeploymentOutcome):
        return found
    async with EngineClient(settings) as client:
        return await client.deployment(found)


async def deployment_answer(
    conn: Connection, named: DeploymentKey, **answer: str
) -> Deployment | DeploymentOutcome:
    """Return the deployment that carries a person's answer (``approved_by``, …) to a held one.

    If it does not wait any more, it is the outcome that it already has. Missing if no deployment of
    the tool with this id was ever held, Rejected if the answer is not valid.
    """
    found = await deployment_held(conn, named)
    if found is None:
        raise Missing(
            f"{named.tool_name!r} has no held deployment with the id {named.deployment_id}; "
            "`rollguard holds` lists what waits"
        )
    held, code = found
    if code is None:
        outcome = await outcome_of(conn, *named)
        assert outcome is not None, "what does not wait any more has an outcome"
        return outcome
    try:
        return Deployment.model_validate(
            held.model_dump(
                include={
                    *("deployment_id", "tool_name", "created_by"),
                    *("improvement_type", "improvement_reason"),
                }
            )
            | answer
            | {"code": code, "deployed_at": datetime.now(UTC)}
        )
    except ValidationError as error:
        raise Rejected(explain(error)) from error
